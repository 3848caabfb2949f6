/** @jsxImportSource @kitajs/html */
import { BoundLink } from "./parts/bound-link.tsx";
import { Cell, Listing } from "./parts/table.tsx";

/** The worker ids of all plugins that operators have drained or blocked, connected or not, with a way to lift that. */
export function WorkerRestrictions(): string {
  return (
    <div class="restrictions" x-data="workerRestrictions" x-cloak x-show="total() > 0">
      <h3>Drained and blocked workers</h3>
      <Listing
        id="restrictions"
        data="workerRestrictions"
        caption="Drained and blocked workers"
        noun={["worker", "workers"]}
        isDense
        rowKey="row.key"
        columns={[
          { sortBy: "name", label: "Worker" },
          { sortBy: "connected", label: "Connection" },
          { sortBy: "kind", label: "Kind", priority: 2 },
          { sortBy: "", label: "Drained" },
          { sortBy: "", label: "Blocked" },
          { sortBy: "", label: "Actions", isForAdmins: true },
        ]}
        empty="No worker is drained or blocked."
      >
        <Cell label="Worker" place="name">
          <BoundLink
            look="cut row-link"
            to="$store.route.href('workers', row.id, { plugin: row.plugin })"
            title="row.id"
            text="row.name"
          />
        </Cell>
        <Cell label="Connection" place="state">
          <span x-text="row.connected ? 'connected' : 'not connected'"></span>
        </Cell>
        <Cell label="Kind" priority={2}>
          <span x-text="row.kind"></span>
        </Cell>
        <Cell label="Drained" place="line">
          <Since field="drained" />
        </Cell>
        <Cell label="Blocked" place="line">
          <Since field="blocked" />
        </Cell>
        <Cell label="Actions" isForAdmins place="menu">
          <Lift field="drained" action="undrain" label="Undrain" />
          <Lift field="blocked" action="unblock" label="Unblock" />
        </Cell>
      </Listing>
    </div>
  ) as string;
}

type Field = "drained" | "blocked";

function Since({ field }: { readonly field: Field }): string {
  return (
    <span
      class="line"
      x-text={`row.${field} ? $format.ago(row.${field}.since, $store.pool.now) + ' by ' + row.${field}.by : '–'`}
      x-bind:title={`row.${field} ? row.${field}.since : ''`}
    ></span>
  ) as string;
}

function Lift({
  field,
  action,
  label,
}: {
  readonly field: Field;
  readonly action: "undrain" | "unblock";
  readonly label: string;
}): string {
  return (
    <button
      type="button"
      class="small"
      x-show={`row.${field}`}
      x-on:click={`$store.operator.ask('${action}', row.id, row.name, row.plugin)`}
      x-bind:aria-label={`'${label} ' + row.name`}
      safe
    >
      {label}
    </button>
  ) as string;
}
