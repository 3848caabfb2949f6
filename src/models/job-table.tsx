/** @jsxImportSource @kitajs/html */
import { Cell, LiveTable } from "../../views/parts/table.tsx";

/** A plugin's running and waiting jobs. */
export function JobTable({ plugin }: { readonly plugin: string }): string {
  return (
    <LiveTable
      plugin={plugin}
      list="jobs"
      caption="Running and waiting jobs"
      sortKey=""
      facet={{ field: "status", label: "All jobs" }}
      columns={[
        { sortBy: "kind", label: "Job" },
        { sortBy: "status", label: "Status" },
        { sortBy: "caller", label: "Caller" },
        { sortBy: "model", label: "Model" },
        { sortBy: "worker", label: "Worker" },
        { sortBy: "running_ms", label: "Running", isNumber: true },
        { sortBy: "waiting_ms", label: "Waited", isNumber: true },
        { sortBy: "bytes_out", label: "Sent", isNumber: true },
        { sortBy: "", label: "Actions", isForAdmins: true },
      ]}
      empty="No jobs are running or waiting."
    >
      <Cell label="Job">
        <b class="name" x-text="row.kind"></b>
        <span class="sub clip" x-text="row.request_id" x-bind:title="row.request_id"></span>
      </Cell>
      <Cell label="Status">
        <span
          class="badge"
          x-bind:class="row.status"
          x-text="row.position ? 'waiting, place ' + row.position : row.status"
        ></span>
      </Cell>
      <Cell label="Caller">
        <span class="clip" x-text="row.caller" x-bind:title="row.caller"></span>
        <span
          class="sub clip"
          x-text="row.end_user ? row.class + ' · user ' + row.end_user : row.class"
          x-bind:title="row.end_user || ''"
        ></span>
      </Cell>
      <Cell label="Model">
        <span class="clip models" x-text="row.model" x-bind:title="row.model"></span>
      </Cell>
      <Cell label="Worker">
        <span class="clip" x-text="row.worker || '–'" x-bind:title="row.worker"></span>
        <span
          class="sub clip"
          x-show="row.server"
          x-text="row.server ? 'on ' + row.server : ''"
          x-bind:title="row.server"
        ></span>
        <span
          class="sub"
          x-show="row.reason"
          x-text="row.reason ? row.reason.replaceAll('_', ' ') : ''"
          title="Why the job has this worker"
        ></span>
      </Cell>
      <Cell label="Running" isNumber>
        <span x-text="row.status === 'waiting' ? '–' : $format.duration(row.running_ms)"></span>
      </Cell>
      <Cell label="Waited" isNumber>
        <span x-text="$format.duration(row.waiting_ms)"></span>
      </Cell>
      <Cell label="Sent" isNumber>
        <span x-text="$format.bytes(row.bytes_out)"></span>
      </Cell>
      <Cell label="Actions" isForAdmins>
        <button
          type="button"
          class="small"
          x-on:click="$store.operator.ask('cancel', row.id, row.kind)"
          x-bind:aria-label="'Cancel ' + row.kind"
        >
          Cancel
        </button>
      </Cell>
    </LiveTable>
  ) as string;
}
