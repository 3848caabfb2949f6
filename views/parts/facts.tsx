/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";

/** Facts as pairs of a name and a value. The children are `Fact`s. */
export function Facts({ children }: PropsWithChildren): string {
  return (<dl class="facts">{children as "safe"}</dl>) as string;
}

export interface FactProps {
  readonly label: string;
  /** The expression for the value. */
  readonly text: string;
  /** The expression for a title with more. */
  readonly title?: string;
  /** The expression for a note beside the value. */
  readonly note?: string;
  /** The condition under which the fact is shown. */
  readonly when?: string;
  /** Whether the value can be copied: ids and names that people need elsewhere. */
  readonly isCopied?: boolean;
}

/** One fact. */
export function Fact({ label, text, title, note, when, isCopied }: FactProps): string {
  return (
    <div {...(when === undefined ? {} : { "x-show": when })}>
      <dt safe>{label}</dt>
      <dd>
        <span class={isCopied === true ? "cut" : undefined} x-text={text} x-bind:title={title ?? text}></span>
        {isCopied === true ? ((<CopyButton text={text} what={label} />) as "safe") : ""}
        {note === undefined ? "" : <span class="soft" x-text={note}></span>}
      </dd>
    </div>
  ) as string;
}

/** A small button that copies what the expression `text` gives. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }): string {
  return (
    <button
      type="button"
      class="copy"
      x-data="copy"
      x-on:click={`copyText(${text})`}
      x-bind:class="isCopied ? 'done' : ''"
      aria-label={`Copy: ${what}`}
      title="Copy"
    >
      <span aria-hidden="true" x-text="isCopied ? '✓' : '⧉'">
        ⧉
      </span>
      <span class="unseen" role="status" x-text="isCopied ? 'Copied' : ''"></span>
    </button>
  ) as string;
}
