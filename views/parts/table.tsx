/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";
import { bind } from "./bind.ts";
import { CountText } from "./table-choices.tsx";

export interface Column {
  /** The field of a row that the column sorts by; empty for a column that cannot be sorted. */
  readonly sortBy: string;
  readonly label: string;
  readonly isNumber?: boolean;
  /** Whether viewers do not see the column. Its cells say so, too. */
  readonly isForAdmins?: boolean;
  /** Where there is no room for all columns, those of 3 are left out first, then those of 2. Cells say the same as heads. */
  readonly priority?: 1 | 2 | 3;
  /** Whether the label is for screen readers alone. */
  readonly isUnseen?: boolean;
}

export interface ListingProps {
  /** The beginning of the ids of its fields. */
  readonly id: string;
  /** The expression for the component: what `createListing` returns, or what has the same members. */
  readonly data: string;
  readonly caption: string;
  readonly columns: readonly Column[];
  /** Markup of what is beside the field for the filter. */
  readonly tools?: string;
  /** What a row is, for the number of rows: `["worker", "workers"]`. */
  readonly noun?: readonly [one: string, many: string];
  /** The text for a list without rows. */
  readonly empty: string;
  /** Markup for a list without rows, in place of the text. */
  readonly emptyMarkup?: string;
  /** The expression for the text where the filter leaves no rows. */
  readonly noMatch?: string;
  /** Whether a row is one line: 36 to 44 pixels. On phones it has two. */
  readonly isDense?: boolean;
  /** Whether the filter is in the page's address. It offers to be cleared where it leaves no rows. */
  readonly isRouted?: boolean;
  /** Markup after the table, within the component. */
  readonly after?: string;
  /** The expression that tells a row from all others. */
  readonly rowKey?: string;
  /** What is done a moment after the filter was changed, for a list that the server filters. */
  readonly onFilter?: string;
  /** The expression for the number of rows; by default those that match and all of them. */
  readonly count?: string;
  /** What is done while the list can be seen, and how often, in seconds. */
  readonly refresh?: { readonly everyS: number; readonly run: string };
}

/** A table of rows with a filter, an order and pages. The children are the cells of one row, bound to `row`. */
export function Listing(props: PropsWithChildren<ListingProps>): string {
  const { id, data, caption, columns, tools = "", empty, rowKey = "row.id", onFilter, refresh, children } = props;
  const { after = "", emptyMarkup, isDense = false, isRouted = false, noun, noMatch } = props;
  const { count = "$format.count(matching()) + ' of ' + $format.count(total())" } = props;
  return (
    <div
      class={isDense ? "listing dense" : "listing"}
      x-data={data}
      {...(refresh === undefined ? {} : bind(`x-seen:${refresh.everyS}`, refresh.run))}
    >
      <div class="tools">
        <label class="search">
          <span class="unseen">Filter</span>
          <input
            type="search"
            placeholder="Filter…"
            x-model="filter"
            {...(onFilter === undefined ? {} : bind("x-on:input.debounce.250ms", onFilter))}
            id={`${id}-filter`}
            autocomplete="off"
          />
        </label>
        {tools as "safe"}
        {noun === undefined ? (
          <span class="soft" role="status" x-text={count}></span>
        ) : (
          <CountText one={noun[0]} many={noun[1]} />
        )}
      </div>
      <section class="scroller" tabindex="0" aria-label={caption}>
        <table>
          <caption class="unseen" safe>
            {caption}
          </caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <Head {...column} />
              ))}
            </tr>
          </thead>
          <tbody>
            <template x-for="row in rows()" x-bind:key={rowKey}>
              <tr>{children as "safe"}</tr>
            </template>
          </tbody>
        </table>
        {emptyMarkup === undefined ? (
          <p class="empty" x-show="total() === 0" safe>
            {empty}
          </p>
        ) : (
          <div x-cloak x-show="total() === 0">
            {emptyMarkup as "safe"}
          </div>
        )}
        <p class="empty" x-cloak x-show="total() > 0 && matching() === 0">
          <span {...(noMatch === undefined ? {} : bind("x-text", noMatch))}>No rows match the filter.</span>
          {isRouted ? (
            <button type="button" class="small" x-on:click="widen()">
              Clear the filter
            </button>
          ) : (
            ""
          )}
        </p>
      </section>
      <div class="pager" x-show="pages() > 1">
        <button type="button" x-on:click="turn(-1)" x-bind:disabled="isFirstPage()">
          Previous
        </button>
        <span class="soft" x-text="pageText()"></span>
        <button type="button" x-on:click="turn(1)" x-bind:disabled="isLastPage()">
          Next
        </button>
      </div>
      {after as "safe"}
    </div>
  ) as string;
}

export interface LiveTableProps {
  /** The plugin's id and the name of the list in its state. */
  readonly plugin: string;
  readonly list: string;
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly sortKey: string;
  /** A field by which rows can be filtered, and its label. */
  readonly facet?: { readonly field: string; readonly label: string };
  /** The text for a list without rows. */
  readonly empty: string;
  /** The expression that tells a row from all others. */
  readonly rowKey?: string;
}

/** A table over a list of a plugin's state: filtered, sorted and paged in the browser. */
export function LiveTable(props: PropsWithChildren<LiveTableProps>): string {
  const { plugin, list, caption, columns, sortKey, facet, empty, children } = props;
  const { rowKey = "row.id || row.channel || (row.relay ? row.relay + ' ' + row.name : row.name)" } = props;
  const id = `${plugin}-${list}`;
  return (
    <Listing
      id={id}
      data={`table('${plugin}', '${list}', '${sortKey}', '${facet?.field ?? ""}')`}
      caption={caption}
      columns={columns}
      tools={facet === undefined ? "" : ((<Facet id={`${id}-facet`} label={facet.label} />) as string)}
      empty={empty}
      rowKey={rowKey}
    >
      {children as "safe"}
    </Listing>
  ) as string;
}

function Facet({ id, label }: { readonly id: string; readonly label: string }): string {
  return (
    <label class="facet">
      <span class="unseen" safe>
        {label}
      </span>
      <select id={id} x-model="facetValue">
        <option value="" safe>
          {label}
        </option>
        <template x-for="value in facetValues()" x-bind:key="value">
          <option x-bind:value="value" x-text="value"></option>
        </template>
      </select>
    </label>
  ) as string;
}

function Head({ sortBy, label, isNumber, isForAdmins, isUnseen, priority }: Column): string {
  const kind = classesOf({ isNumber, isForAdmins, priority });
  if (sortBy === "")
    return (
      <th scope="col" class={kind}>
        <span class={isUnseen === true ? "unseen" : undefined} safe>
          {label}
        </span>
      </th>
    ) as string;
  return (
    <th scope="col" class={kind} x-bind:aria-sort={`order('${sortBy}')`}>
      <button type="button" class="sort" x-on:click={`sortBy('${sortBy}')`} safe>
        {label}
      </button>
    </th>
  ) as string;
}

/** A cell. Its label is shown on phones, where a table becomes cards. */
export function Cell({
  label,
  isNumber,
  isForAdmins,
  priority,
  place,
  children,
}: PropsWithChildren<
  Pick<Column, "label" | "isNumber" | "isForAdmins" | "priority"> & {
    /** Where a phone shows it, in a dense table: others are left out there. */
    readonly place?: "name" | "state" | "line" | "menu";
  }
>): string {
  return (
    <td data-label={label} data-place={place} class={classesOf({ isNumber, isForAdmins, priority })}>
      {children as "safe"}
    </td>
  ) as string;
}

function classesOf({
  isNumber,
  isForAdmins,
  priority = 1,
}: {
  readonly isNumber: boolean | undefined;
  readonly isForAdmins: boolean | undefined;
  readonly priority: number | undefined;
}): string | undefined {
  const classes = [
    isNumber === true ? "number" : "",
    isForAdmins === true ? "for-admins" : "",
    priority > 1 ? `rank-${priority}` : "",
  ];
  return classes.filter((name) => name !== "").join(" ") || undefined;
}

/** A bar that shows the used part of a whole, with both figures. Both are expressions over `row`. */
export function LoadBar({ used, total }: { readonly used: string; readonly total: string }): string {
  return (
    <span class="load">
      <meter
        min="0"
        x-bind:max={`${total} || 1`}
        x-bind:value={used}
        x-bind:aria-label={`${used} + ' of ' + ${total} + ' slots in use'`}
      ></meter>
      <span class="figures">
        <span x-text={used}></span>/<span x-text={total}></span>
      </span>
    </span>
  ) as string;
}
