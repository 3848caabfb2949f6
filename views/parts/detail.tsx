/** @jsxImportSource @kitajs/html */

import { escapeHtml, type PropsWithChildren } from "@kitajs/html";
import { bind } from "./bind.ts";
import { BoundLink } from "./bound-link.tsx";
import { CopyButton } from "./copy-button.tsx";

export interface DetailProps {
  /** The expression for the component: what `createAskedOne` returns, with `views()`. */
  readonly data: string;
  /** The section that the page belongs to, and its name. */
  readonly section: string;
  readonly label: string;
  /** What it is a page of: `worker`. */
  readonly one: string;
  /** Why it may be missing. */
  readonly missing: string;
  /** How often it is asked for again while it is seen, in seconds. */
  readonly everyS: number;
}

/** The page of one thing of a section. The children are bound to `it`, which is there while the thing is known. */
export function Detail({
  data,
  section,
  label,
  one,
  missing,
  everyS,
  children,
}: PropsWithChildren<DetailProps>): string {
  return (
    <div
      class="detail"
      x-data={data}
      x-cloak
      x-show="isOpen()"
      x-effect="changedTo($store.route.id)"
      {...bind(`x-seen:${everyS}`, "load()")}
    >
      <nav class="crumbs" aria-label="Breadcrumb">
        <BoundLink to="backHref()">{escapeHtml(`← ${label}`)}</BoundLink>
      </nav>
      <p class="soft" role="status" x-show="isWaiting()">
        Loading…
      </p>
      <p class="problem" role="alert" x-show="problem() !== ''" x-text="problem()"></p>
      <div class="empty-state" x-show="isMissing()">
        <p class="empty-title" safe>{`This ${one} is not known`}</p>
        <p class="soft" safe>
          {missing}
        </p>
        <p class="soft cut" x-text="$store.route.id"></p>
        <a class="button" href={`#${section}`} safe>{`All ${label.toLowerCase()}`}</a>
      </div>
      <template x-for="it in views()" x-bind:key="it.key">
        <article class="detail-body">{children as "safe"}</article>
      </template>
    </div>
  ) as string;
}

/** The head of such a page: name, id with a copy button, status, and actions. */
export function DetailHead({
  name,
  id,
  children,
}: PropsWithChildren<{
  /** The expressions for the name and, where it is another one, for the id. */
  readonly name: string;
  readonly id?: string;
}>): string {
  return (
    <div class="detail-head">
      <div class="detail-name">
        <h2 x-text={name}>…</h2>
        {id === undefined ? (
          ((<CopyButton text={name} what="the name" />) as "safe")
        ) : (
          <span class="soft id">
            <span class="cut" x-text={id}></span>
            <CopyButton text={id} what="the id" />
          </span>
        )}
        <span class="badge" x-bind:class="it.tone" x-text="it.status"></span>
      </div>
      <div class="buttons">{children as "safe"}</div>
    </div>
  ) as string;
}

/** A part of such a page. */
export function DetailCard({
  title,
  when,
  isWide = true,
  children,
}: PropsWithChildren<{ readonly title: string; readonly when?: string; readonly isWide?: boolean }>): string {
  return (
    <section
      class={isWide ? "card detail-card wide" : "card detail-card"}
      aria-label={title}
      {...(when === undefined ? {} : { "x-show": when })}
    >
      <h3 safe>{title}</h3>
      {children as "safe"}
    </section>
  ) as string;
}

/** The graphs of the last quarter of an hour. */
export function Graphs(): string {
  return (
    <div class="graphs" x-show="it.graphs.length > 0">
      <template x-for="graph in it.graphs" x-bind:key="graph.id">
        <figure class="card plot-card">
          <figcaption x-text="graph.title"></figcaption>
          <div class="plot" role="img" x-bind:aria-label="graph.title + ', the last 15 minutes'" x-graph="graph"></div>
        </figure>
      </template>
    </div>
  ) as string;
}

export interface PlainColumn {
  readonly label: string;
  readonly isNumber?: boolean;
  /** Markup of the cell, bound to `each`. */
  readonly cell: string;
}

/** A short table without filter and pages. */
export function PlainTable({
  caption,
  list,
  rowKey,
  columns,
  empty,
}: {
  readonly caption: string;
  /** The expression for the rows. */
  readonly list: string;
  readonly rowKey: string;
  readonly columns: readonly PlainColumn[];
  readonly empty: string;
}): string {
  return (
    <section class="plain" tabindex="0" aria-label={caption}>
      <table x-show={`${list}.length > 0`}>
        <caption class="unseen" safe>
          {caption}
        </caption>
        <thead>
          <tr>
            {columns.map(({ label, isNumber }) => (
              <th scope="col" class={isNumber === true ? "number" : undefined} safe>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <template x-for={`(each, at) in ${list}`} x-bind:key={rowKey}>
            <tr>
              {columns.map(({ label, isNumber, cell }) => (
                <td data-label={label} class={isNumber === true ? "number" : undefined}>
                  {cell as "safe"}
                </td>
              ))}
            </tr>
          </template>
        </tbody>
      </table>
      <p class="soft none" x-show={`${list}.length === 0`} safe>
        {empty}
      </p>
    </section>
  ) as string;
}
