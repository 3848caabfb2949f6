/** @jsxImportSource @kitajs/html */

import { Empty } from "./empty.tsx";
import { BoundLink } from "./parts/bound-link.tsx";
import { MenuButton, MenuItem, MenuLine, RowMenu } from "./parts/row-menu.tsx";
import { Cell, type Column, Listing } from "./parts/table.tsx";
import { RoutedChoice } from "./parts/table-choices.tsx";
import { WorkerPage } from "./worker-page.tsx";
import { WorkerRestrictions } from "./worker-restrictions.tsx";

/** A plugin with workers, as the pages that cross plugins name it. */
export interface WorkerKind {
  readonly plugin: string;
  /** A word for its workers: `LLM`. */
  readonly kind: string;
  readonly haveModels: boolean;
}

const COLUMNS: readonly Column[] = [
  { sortBy: "name", label: "Worker" },
  { sortBy: "status", label: "Status" },
  { sortBy: "load", label: "Load" },
  { sortBy: "kind", label: "Kind", priority: 2 },
  { sortBy: "offers", label: "Serves", priority: 2 },
  { sortBy: "tokens_per_s", label: "Tokens/s", isNumber: true },
  { sortBy: "done", label: "Served", isNumber: true, priority: 2 },
  { sortBy: "failed", label: "Failed", isNumber: true },
  { sortBy: "last_error_at", label: "Last error", priority: 3 },
  { sortBy: "connected_at", label: "Connected", isNumber: true, priority: 3 },
  { sortBy: "", label: "Actions", isUnseen: true },
];

/** The section on workers: those of all plugins in one table, and a page for each. */
export function Workers({ kinds }: { readonly kinds: readonly WorkerKind[] }): string {
  return (
    <div class="page" x-data={`workers([${kinds.map(({ plugin, kind }) => `['${plugin}','${kind}']`).join(",")}])`}>
      <div x-show="$store.route.id === ''">
        <div data-menu="" x-data="rowMenu">
          <WorkerTable kinds={kinds} />
          <WorkerMenu />
        </div>
        <WorkerRestrictions />
      </div>
      <WorkerPage />
    </div>
  ) as string;
}

function WorkerTable({ kinds }: { readonly kinds: readonly WorkerKind[] }): string {
  return (
    <Listing
      id="workers"
      data="workerList"
      caption="Workers"
      columns={COLUMNS}
      noun={["worker", "workers"]}
      isDense
      isRouted
      rowKey="row.key"
      tools={(<Tools kinds={kinds} />) as string}
      empty=""
      emptyMarkup={
        (
          <Empty
            title="No workers are connected"
            text="A worker runs beside a model server, a speech recogniser or an MCP server and connects to this server by itself."
            action={{ href: "#add", label: "Add a worker", isForAdmins: true }}
          />
        ) as string
      }
    >
      <Cell label="Worker" place="name">
        <BoundLink
          look="cut row-link"
          to="$store.route.href('workers', row.id, { plugin: row.plugin })"
          title="titleOf(row)"
          text="row.name"
        />
      </Cell>
      <Cell label="Status" place="state">
        <span class="badge" x-bind:class="row.tone" x-bind:title="row.why" x-text="row.status"></span>
      </Cell>
      <Cell label="Load" place="line">
        <Load />
      </Cell>
      <Cell label="Kind" priority={2}>
        <span x-text="row.kind"></span>
      </Cell>
      <Cell label="Serves" priority={2}>
        <span class="cut" x-text="row.offers" x-bind:title="row.models.join(', ') || row.offers"></span>
      </Cell>
      <Cell label="Tokens/s" isNumber place="line">
        <span x-text="$format.rate(row.tokens_per_s)"></span>
      </Cell>
      <Cell label="Served" isNumber priority={2}>
        <span x-text="$format.count(row.done)"></span>
      </Cell>
      <Cell label="Failed" isNumber place="line">
        <span x-text="$format.count(row.failed)" x-bind:class="freshness(row) === 'new' ? 'alarm' : ''"></span>
      </Cell>
      <Cell label="Last error" priority={3}>
        <span
          class="cut"
          x-show="freshness(row) !== 'gone'"
          x-bind:class="freshness(row) === 'new' ? 'alarm' : 'soft'"
          x-text="errorText(row)"
          x-bind:title="row.last_error"
        ></span>
      </Cell>
      <Cell label="Connected" isNumber priority={3}>
        <span x-text="$format.ageRoughly(row.connected_at, $store.pool.now)" x-bind:title="row.connected_at"></span>
      </Cell>
      <Cell label="Actions" place="menu">
        <MenuButton />
      </Cell>
    </Listing>
  ) as string;
}

/** What a worker does now, on one scale: the whole bar is all of its slots. */
function Load(): string {
  return (
    <span class="load">
      <meter
        min="0"
        x-show="row.slots !== null"
        x-bind:class="row.used >= row.slots ? 'full' : ''"
        x-bind:max="row.slots || 1"
        x-bind:value="row.used"
        x-bind:aria-label="row.used + ' of ' + row.slots + ' slots in use'"
      ></meter>
      <span
        class="figures"
        x-text="row.slots === null ? $format.plural(row.used, 'call') : row.used + ' / ' + row.slots"
      ></span>
    </span>
  ) as string;
}

function Tools({ kinds }: { readonly kinds: readonly WorkerKind[] }): string {
  return (
    <>
      {kinds.length > 1 ? (
        <RoutedChoice
          id="workers-kind"
          name="plugin"
          label="Any kind"
          options={kinds.map(({ plugin, kind }) => [plugin, kind] as const)}
        />
      ) : (
        ""
      )}
      <RoutedChoice id="workers-status" name="status" label="Any status" />
      <RoutedChoice id="workers-model" name="model" label="Any model" />
    </>
  ) as string;
}

/** The actions on a worker. Those that change something ask for confirmation first. */
function WorkerMenu(): string {
  const ask = (action: string): string => `$store.operator.ask('${action}', subject.id, subject.name, subject.plugin)`;
  return (
    <RowMenu label="Actions for a worker">
      <MenuItem label="Open its page" run="$store.route.go('workers', subject.id, { plugin: subject.plugin })" />
      <MenuItem
        label="Show its jobs"
        run="$store.route.go('jobs', '', { worker: subject.id })"
        when="subject.slots !== null"
      />
      <MenuItem label="Copy its id" run="copyId(subject.id)" />
      <MenuLine isForAdmins />
      <MenuItem label="Drain…" run={ask("drain")} when="!subject.is_drained" isForAdmins />
      <MenuItem label="Undrain…" run={ask("undrain")} when="subject.is_drained" isForAdmins />
      <MenuItem label="Disconnect…" run={ask("disconnect")} isForAdmins />
      <MenuItem label="Block…" run={ask("block")} isForAdmins isDangerous />
    </RowMenu>
  ) as string;
}
