// Dialogs with forms, and what the server says of their fields.

/** Returns the dialog with an id. */
export function dialog(id: string): HTMLDialogElement {
  return document.getElementById(id) as HTMLDialogElement; // the page's markup contains it
}

/** Returns the field that the server refused: `limits.parallel` is the field `parallel`. */
export function fieldOf(id: string, param: string | undefined): HTMLElement | null {
  const name = param?.split(".").find((part) => part !== "limits");
  const field = name === undefined ? null : dialog(id).querySelector(`[name="${CSS.escape(name)}"]`);
  return field instanceof HTMLElement ? field : null;
}

/** Names a field as the form does: `'limits.parallel' must be …` becomes `“Jobs at once” must be …`. */
export function byLabel(message: string, field: HTMLElement): string {
  const label = field.closest("label")?.querySelector("span")?.textContent?.trim();
  return label ? message.replace(/^'[\w.]+'/, `“${label}”`) : message;
}
