/** How long the button says "Copied". */
const COPIED_MS = 1500;

/**
 * `x-data="copy"` around a button whose `copyText(text)` copies a text to the clipboard. Elements around it get the event
 * `copied`.
 */
export function createCopy() {
  return {
    isCopied: false,
    async copyText(text: string): Promise<void> {
      await copy(text);
      (this as unknown as { $dispatch(name: string): void }).$dispatch("copied"); // Alpine adds it
      this.isCopied = true;
      window.setTimeout(() => {
        this.isCopied = false;
      }, COPIED_MS);
    },
  };
}

/** Copies a text. Browsers have a clipboard for pages with TLS only, and may deny it; a selection is copied then. */
export async function copy(text: string): Promise<void> {
  if (window.isSecureContext) {
    try {
      return await navigator.clipboard.writeText(text);
    } catch {
      // The viewer or the browser denies it.
    }
  }
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "unseen";
  const focused = document.activeElement;
  // While a dialog is open, nothing outside of it can be selected.
  (focused?.closest("dialog") ?? document.body).append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
}
