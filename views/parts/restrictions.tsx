/** @jsxImportSource @kitajs/html */
import { Cell, LiveTable } from "./table.tsx";

/** The worker ids of a plugin that operators have drained or blocked, connected or not, with a way to lift that. */
export function RestrictionTable({ plugin, what }: { readonly plugin: string; readonly what: string }): string {
  const state = `$store.pool.plugins.${plugin}`;
  return (
    <div class="restrictions" x-show={`${state} && ${state}.restrictions.length > 0`}>
      <h3 safe>Drained and blocked {what}</h3>
      <LiveTable
        plugin={plugin}
        list="restrictions"
        caption={`Drained and blocked ${what}`}
        sortKey="id"
        columns={[
          { sortBy: "id", label: "Id" },
          { sortBy: "connected", label: "Link" },
          { sortBy: "", label: "Drained" },
          { sortBy: "", label: "Blocked" },
          { sortBy: "", label: "Actions", isForAdmins: true },
        ]}
        empty="No id is drained or blocked."
      >
        <Cell label="Id">
          <b class="name" x-text="row.id" x-bind:title="row.id"></b>
          <span class="sub clip" x-show="row.name && row.name !== row.id" x-text="row.name"></span>
        </Cell>
        <Cell label="Link">
          <span x-text="row.connected ? 'connected' : 'not connected'"></span>
        </Cell>
        <Cell label="Drained">
          <Fact field="drained" />
        </Cell>
        <Cell label="Blocked">
          <Fact field="blocked" />
        </Cell>
        <Cell label="Actions" isForAdmins>
          <span class="actions">
            <Lift field="drained" action="undrain" label="Undrain" plugin={plugin} />
            <Lift field="blocked" action="unblock" label="Unblock" plugin={plugin} />
          </span>
        </Cell>
      </LiveTable>
    </div>
  ) as string;
}

type Field = "drained" | "blocked";

function Fact({ field }: { readonly field: Field }): string {
  return (
    <>
      <span
        class="line"
        x-text={`row.${field} ? $format.age(row.${field}.since, $store.pool.now) : '–'`}
        x-bind:title={`row.${field} ? row.${field}.since : ''`}
      ></span>
      <span class="sub" x-show={`row.${field}`} x-text={`row.${field} ? 'by ' + row.${field}.by : ''`}></span>
    </>
  ) as string;
}

interface LiftProps {
  readonly field: Field;
  readonly action: "undrain" | "unblock";
  readonly label: string;
  readonly plugin: string;
}

function Lift({ field, action, label, plugin }: LiftProps): string {
  return (
    <button
      type="button"
      class="small"
      x-show={`row.${field}`}
      x-on:click={`$store.operator.ask('${action}', row.id, row.name || row.id, '${plugin}')`}
      x-bind:aria-label={`'${label} ' + (row.name || row.id)`}
      safe
    >
      {label}
    </button>
  ) as string;
}
