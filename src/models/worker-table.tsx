/** @jsxImportSource @kitajs/html */
import { Cell, type Column, LiveTable, LoadBar } from "../../views/parts/table.tsx";
import { WorkerActions } from "../../views/parts/worker-actions.tsx";
import { SPEED_NOTE, TOKENS_NOTE } from "./token-notes.ts";

/** A column of numbers. Its expressions read `row`, a worker in the State API. */
export interface WorkColumn {
  readonly label: string;
  /** The field of a worker that the column sorts by. */
  readonly sortBy: string;
  /** The expression for the number. */
  readonly text: string;
  /** The expression for a line under the number. */
  readonly subText?: string;
  /** An explanation, shown when the pointer rests on the number. */
  readonly note?: string;
}

/** The output of a worker in tokens per second. */
export const OUTPUT_SPEED: WorkColumn = {
  label: "Tokens/s",
  sortBy: "tokens_per_s",
  text: "$format.rate(row.tokens_per_s)",
  subText: "$format.count(row.output_tokens_total) + ' total'",
  note: TOKENS_NOTE,
};

/** A plugin's workers, with an operator's actions on each. */
export function WorkerTable({ plugin, work }: { readonly plugin: string; readonly work: WorkColumn }): string {
  const columns: readonly Column[] = [
    { sortBy: "name", label: "Worker" },
    { sortBy: "status", label: "Status" },
    { sortBy: "inflight", label: "Load" },
    { sortBy: "models", label: "Models" },
    { sortBy: "", label: "Host" },
    { sortBy: work.sortBy, label: work.label, isNumber: true },
    { sortBy: "processed_total", label: "Done", isNumber: true },
    { sortBy: "failures_total", label: "Failed", isNumber: true },
    { sortBy: "connected_at", label: "Since" },
    { sortBy: "", label: "Actions", isForAdmins: true },
  ];
  return (
    <LiveTable
      plugin={plugin}
      list="workers"
      caption="Workers"
      columns={columns}
      sortKey="name"
      facet={{ field: "models", label: "All models" }}
      empty="No worker is connected to this server. If there is none at all, the overview shows how to start one."
    >
      <Cell label="Worker">
        <b class="name" x-text="row.name" x-bind:title="row.id"></b>
        <span class="sub clip" x-show="row.id !== row.name" x-text="row.id" x-bind:title="row.id"></span>
        <span class="sub" x-text="row.version || row.dialect"></span>
      </Cell>
      <Cell label="Status">
        <span
          class="badge"
          x-bind:class="row.operator_drained ? 'draining' : row.status"
          x-text="row.operator_drained ? 'drained' : row.status.replace('_', ' ')"
        ></span>
        <template x-for="each in row.ejections" x-bind:key="each.model || ''">
          <span class="out">
            <span class="badge critical">out</span>
            <span
              class="sub clip"
              x-text="each.model === null ? each.reason : each.model + ': ' + each.reason"
              x-bind:title="each.model === null ? each.reason : each.model + ': ' + each.reason"
            ></span>
            <span class="sub" x-text="$format.until(each.until, $store.pool.now)"></span>
          </span>
        </template>
        <span
          class="sub clip"
          x-show="row.status_reason"
          x-text="row.status_reason"
          x-bind:title="row.status_reason"
        ></span>
        <span
          class="sub clip alarm"
          x-show="row.last_error"
          x-text="row.last_error"
          x-bind:title="row.last_error"
        ></span>
      </Cell>
      <Cell label="Load">
        <LoadBar used="row.inflight" total="row.max_concurrency" />
      </Cell>
      <Cell label="Models">
        <span class="clip models" x-text="row.models.join(', ') || 'none'" x-bind:title="row.models.join(', ')"></span>
        <span
          class="sub clip"
          x-show="row.loaded !== null"
          x-text="row.loaded && row.loaded.length > 0 ? 'loaded: ' + row.loaded.join(', ') : 'none loaded'"
          x-bind:title="row.loaded ? row.loaded.join(', ') : ''"
        ></span>
        <span
          class="sub clip alarm"
          x-show="row.refused_models.length > 0"
          x-text="'not allowed: ' + row.refused_models.join(', ')"
          title="The worker's key does not allow these models, so nobody gets them"
        ></span>
        <span
          class="sub clip"
          x-show="row.tenants !== null"
          x-text="row.tenants === null ? '' : 'only for ' + row.tenants.join(', ')"
          title="The worker's key serves only these tenants"
        ></span>
        <span
          class="sub clip"
          x-show="row.affinity_off.length > 0"
          x-text="'affinity off: ' + $format.models(row.affinity_off)"
          title="Its model server does not keep these models' prompts, so requests go there by load alone"
        ></span>
      </Cell>
      <Cell label="Host">
        <span
          class="clip host"
          x-text="$format.system(row.host_info)"
          x-bind:title="row.host_info.hostname || ''"
        ></span>
        <span
          class="sub line"
          x-show="row.host_info.cpu_percent !== null"
          x-text="'CPU ' + row.host_info.cpu_percent + ' % · RAM ' + row.host_info.ram_used_percent + ' %'"
        ></span>
      </Cell>
      <Cell label={work.label} isNumber>
        <span x-text={work.text} title={work.note}></span>
        {work.subText === undefined ? "" : <span class="sub" x-text={work.subText}></span>}
        <span
          class="sub"
          x-show="row.estimated_output_tokens_total > 0"
          x-text="$format.percent(row.estimated_output_tokens_total, row.output_tokens_total) + ' % estimated'"
        ></span>
        <template x-for="each in row.speeds.slice(0, 2)" x-bind:key="each.model">
          <span class="sub line" x-bind:title={`each.model + ': ${SPEED_NOTE}'`}>
            <span class="unseen" x-text="each.model"></span> <span x-text="$format.speeds(each)"></span>
          </span>
        </template>
        <span class="sub" x-show="row.speeds.length > 2" x-text="'and ' + (row.speeds.length - 2) + ' models'"></span>
      </Cell>
      <Cell label="Done" isNumber>
        <span x-text="$format.count(row.processed_total)"></span>
        <span class="sub" x-text="'avg ' + $format.duration(row.avg_processing_ms)"></span>
      </Cell>
      <Cell label="Failed" isNumber>
        <span x-text="$format.count(row.failures_total)" x-bind:class="row.failures_total > 0 ? 'alarm' : ''"></span>
      </Cell>
      <Cell label="Since">
        <span x-text="$format.age(row.connected_at, $store.pool.now)" x-bind:title="row.connected_at"></span>
      </Cell>
      <Cell label="Actions" isForAdmins>
        <WorkerActions plugin={plugin} />
      </Cell>
    </LiveTable>
  ) as string;
}
