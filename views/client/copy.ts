/** How long the button says "Copied". */
const COPIED_MS = 1500;

/** `x-data="copy"` around a button whose `copyText(text)` copies a text to the clipboard. */
export function createCopy() {
  return {
    isCopied: false,
    async copyText(text: string): Promise<void> {
      await navigator.clipboard.writeText(text);
      this.isCopied = true;
      window.setTimeout(() => {
        this.isCopied = false;
      }, COPIED_MS);
    },
  };
}
