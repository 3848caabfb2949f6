/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";
import { bind } from "./bind.ts";

export interface BoundLinkProps {
  /** The expression for the address: `$store.route.href('workers', row.id)`. */
  readonly to: string;
  /** The expression for the text, unless there are children. */
  readonly text?: string;
  readonly look?: string;
  /** The expressions for the title, for the name that screen readers say, and for whether it is shown. */
  readonly title?: string;
  readonly name?: string;
  readonly when?: string;
}

/** A link whose address depends on the data. */
export function BoundLink({ to, text, look, title, name, when, children }: PropsWithChildren<BoundLinkProps>): string {
  const bound = {
    ...bind("x-bind:href", to),
    ...(text === undefined ? {} : bind("x-text", text)),
    ...(title === undefined ? {} : bind("x-bind:title", title)),
    ...(name === undefined ? {} : bind("x-bind:aria-label", name)),
    ...(when === undefined ? {} : bind("x-show", when)),
  };
  return (
    <a href="#overview" class={look} {...bound}>
      {(children ?? "") as "safe"}
    </a>
  ) as string;
}
