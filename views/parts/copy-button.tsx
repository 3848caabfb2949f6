/** @jsxImportSource @kitajs/html */

/** A small button that copies what the expression `text` gives. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }): string {
  return (
    <button
      type="button"
      class="copy"
      x-data="copy"
      x-on:click={`copyText(${text})`}
      x-bind:class="isCopied ? 'done' : ''"
      aria-label={`Copy ${what}`}
      title={`Copy ${what}`}
    >
      <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" aria-hidden="true">
        <path x-show="!isCopied" d="M5.5 5.5h8v8h-8zM10.5 3v-.5h-8v8H3" />
        <path x-show="isCopied" d="M3 8.5l3.5 3.5L13 4.5" />
      </svg>
      <span class="unseen" role="status" x-text="isCopied ? 'Copied' : ''"></span>
    </button>
  ) as string;
}
