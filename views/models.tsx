/** @jsxImportSource @kitajs/html */

import { Empty } from "./empty.tsx";
import { ModelPage } from "./model-page.tsx";
import { BoundLink } from "./parts/bound-link.tsx";
import { Cell, type Column, Listing } from "./parts/table.tsx";
import { RoutedChoice } from "./parts/table-choices.tsx";
import type { WorkerKind } from "./workers.tsx";

const COLUMNS: readonly Column[] = [
  { sortBy: "name", label: "Model" },
  { sortBy: "status", label: "State" },
  { sortBy: "load", label: "Load" },
  { sortBy: "type", label: "Kind", priority: 2 },
  { sortBy: "context", label: "Context", isNumber: true, priority: 2 },
  { sortBy: "first_byte_p50_ms", label: "First byte", isNumber: true },
  { sortBy: "tokens_per_s", label: "Tokens/s", isNumber: true },
  { sortBy: "requests", label: "Requests", isNumber: true, priority: 3 },
  { sortBy: "errors", label: "Errors", isNumber: true },
  { sortBy: "workers", label: "Workers", isNumber: true, priority: 2 },
  { sortBy: "", label: "Use it", isUnseen: true },
];

const CONTEXT_NOTE = "Tokens of one request, input and output; the smallest of the model's workers";

/** The section on models: those of all plugins in one table, and a page for each. */
export function Models({ kinds }: { readonly kinds: readonly WorkerKind[] }): string {
  return (
    <div class="page" x-data={`models([${kinds.map(({ plugin, kind }) => `['${plugin}','${kind}']`).join(",")}])`}>
      <div x-show="$store.route.id === ''">
        <ModelTable />
      </div>
      <ModelPage />
    </div>
  ) as string;
}

function ModelTable(): string {
  return (
    <Listing
      id="models"
      data="modelList"
      caption="Models"
      columns={COLUMNS}
      noun={["model", "models"]}
      isDense
      isRouted
      rowKey="row.key"
      tools={
        (
          <>
            <RoutedChoice id="models-type" name="type" label="Any kind" />
            <RoutedChoice id="models-state" name="state" label="Any state" />
          </>
        ) as string
      }
      empty=""
      emptyMarkup={
        (
          <Empty
            title="No models are served"
            text="Models appear here as soon as a worker that offers them connects."
            action={{ href: "#add", label: "Add a worker", isForAdmins: true }}
          />
        ) as string
      }
    >
      <Cell label="Model" place="name">
        <BoundLink look="cut row-link" to="$store.route.href('models', row.name)" title="row.name" text="row.name" />
      </Cell>
      <Cell label="State" place="state">
        <span class="badge" x-bind:class="row.tone" x-bind:title="stateNote(row)" x-text="row.status"></span>
      </Cell>
      <Cell label="Load" place="line">
        <span class="load">
          <meter
            min="0"
            x-bind:class="row.slots > 0 && row.used >= row.slots ? 'full' : ''"
            x-bind:max="row.slots || 1"
            x-bind:value="row.used"
            x-bind:aria-label="row.used + ' of ' + row.slots + ' slots in use'"
          ></meter>
          <span class="figures" x-text="row.used + ' / ' + row.slots"></span>
        </span>
      </Cell>
      <Cell label="Kind" priority={2}>
        <span x-text="row.type"></span>
      </Cell>
      <Cell label="Context" isNumber priority={2}>
        <span x-text="$format.context(row.context)" title={CONTEXT_NOTE}></span>
      </Cell>
      <Cell label="First byte" isNumber place="line">
        <span
          x-text="$format.duration(row.first_byte_p50_ms)"
          x-bind:title="'median; p95 ' + $format.duration(row.first_byte_p95_ms)"
        ></span>
      </Cell>
      <Cell label="Tokens/s" isNumber place="line">
        <span x-text="$format.rate(row.tokens_per_s)" title="Output tokens per second, running streams included"></span>
      </Cell>
      <Cell label="Requests" isNumber priority={3}>
        <span x-text="$format.count(row.requests)"></span>
      </Cell>
      <Cell label="Errors" isNumber>
        <span
          x-text="row.errors === null ? '–' : $format.count(row.errors)"
          x-bind:class="row.error_share > 0.05 ? 'alarm' : ''"
          x-bind:title="row.error_share === null ? '' : $format.share(row.error_share) + ' of all requests'"
        ></span>
      </Cell>
      <Cell label="Workers" isNumber priority={2}>
        <BoundLink
          to="$store.route.href('workers', '', { model: row.name })"
          name="$format.plural(row.workers, 'worker') + ' of ' + row.name"
          text="row.workers"
        />
      </Cell>
      <Cell label="Use it" place="menu">
        <BoundLink
          look="button small"
          to="$store.route.href('use', '', { model: row.name })"
          name="'Use it: ' + row.name"
        >
          Use it
        </BoundLink>
      </Cell>
    </Listing>
  ) as string;
}
