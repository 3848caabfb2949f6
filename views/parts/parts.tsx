/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";

export interface PartName {
  readonly id: string;
  readonly label: string;
  /** Whether viewers are not offered the part. */
  readonly isForAdmins?: boolean;
}

/** The section of one plugin: a heading, the plugin's summary, and parts of which one is shown at a time. */
export function PluginSection({
  id,
  title,
  parts,
  summary,
  children,
}: PropsWithChildren<{
  readonly id: string;
  readonly title: string;
  readonly parts: readonly PartName[];
  /** Markup. */
  readonly summary: string;
}>): string {
  return (
    <section class="plugin" data-plugin={id} x-data={`parts('${parts[0]?.id ?? ""}')`} aria-labelledby={`${id}-title`}>
      <div class="plugin-head">
        <h2 id={`${id}-title`} safe>
          {title}
        </h2>
        {summary as "safe"}
        {parts.length === 0 ? "" : <PartButtons title={title} parts={parts} />}
      </div>
      {children as "safe"}
    </section>
  ) as string;
}

function PartButtons({ title, parts }: { readonly title: string; readonly parts: readonly PartName[] }): string {
  return (
    <nav class="parts" aria-label={`Parts of ${title}`}>
      {parts.map((part) => (
        <button
          type="button"
          class={part.isForAdmins === true ? "for-admins" : undefined}
          x-on:click={`show('${part.id}')`}
          x-bind:aria-pressed={`isShown('${part.id}') ? 'true' : 'false'`}
          safe
        >
          {part.label}
        </button>
      ))}
    </nav>
  ) as string;
}

/** The content of one part of a section. */
export function Part({ id, children }: PropsWithChildren<{ readonly id: string }>): string {
  return (
    <div class="part" x-show={`isShown('${id}')`}>
      {children as "safe"}
    </div>
  ) as string;
}

/** A figure with its name, in a plugin's summary. `text` is an expression; `one` is the singular of the name. */
export function Figure({
  label,
  one = label,
  text,
}: {
  readonly label: string;
  readonly one?: string;
  readonly text: string;
}): string {
  return (
    <span class="figure">
      <b x-text={text}>–</b>{" "}
      <span x-text={`(${text}) === 1 ? '${one}' : '${label}'`} safe>
        {label}
      </span>
    </span>
  ) as string;
}

/** A shell command under a label; `text` is an expression. The default label says that it does the same as its panel. */
export function CurlLine({
  text,
  label = "The same with curl",
}: {
  readonly text: string;
  readonly label?: string;
}): string {
  return (
    <div class="curl" x-data="copy">
      <div class="curl-head">
        <span safe>{label}</span>
        <button type="button" class="small" x-on:click={`copyText(${text})`} x-text="isCopied ? 'Copied' : 'Copy'">
          Copy
        </button>
      </div>
      <code tabindex="0" x-text={text}></code>
    </div>
  ) as string;
}

/** The line in which a panel reports an error. */
export function ProblemLine(): string {
  return (<p class="problem" role="alert" x-show="problem !== ''" x-text="problem"></p>) as string;
}

/** The line in which a list says what is missing from it. */
export function MissingLine(): string {
  return (<span class="warn" x-show="missing !== ''" x-text="missing"></span>) as string;
}
