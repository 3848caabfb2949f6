/** How long the button says "Copied". */
const COPIED_MS = 1500;

/** `x-data="copy"` around a button whose `copyText(text)` copies a text to the clipboard. */
export function createCopy() {
  return {
    isCopied: false,
    async copyText(text: string): Promise<void> {
      await copy(text);
      this.isCopied = true;
      window.setTimeout(() => {
        this.isCopied = false;
      }, COPIED_MS);
    },
  };
}

/** Copies a text. Browsers have a clipboard for pages with TLS only; on others a selection is copied. */
export async function copy(text: string): Promise<void> {
  if (window.isSecureContext) return navigator.clipboard.writeText(text);
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
