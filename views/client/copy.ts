/** How long a button says that it has copied. */
const SAID_MS = 1500;

/** `x-data="copy"` around a text: `copyText(text)` puts it into the clipboard. */
export function createCopy() {
  return {
    isCopied: false,
    async copyText(text: string): Promise<void> {
      await navigator.clipboard.writeText(text);
      this.isCopied = true;
      window.setTimeout(() => {
        this.isCopied = false;
      }, SAID_MS);
    },
  };
}
