/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";
import { Figure, Part, PluginSection } from "../../views/parts/parts.tsx";
import { RestrictionTable } from "../../views/parts/restrictions.tsx";
import { Cell, type Column, LiveTable, LoadBar } from "../../views/parts/table.tsx";
import { WorkerActions } from "../../views/parts/worker-actions.tsx";

export interface PoolViewProps {
  readonly id: string;
  readonly title: string;
  /** The column of the workers' table that shows their work; their tokens per second unless given. */
  readonly work?: WorkColumn;
}

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

/** A plugin's workers, models and jobs, and its own panels for trying it out. The page's script fills in the data. */
export function PoolView({ id, title, work = SPEED, children }: PropsWithChildren<PoolViewProps>): string {
  const state = `$store.pool.plugins.${id}`;
  return (
    <PluginSection
      id={id}
      title={title}
      summary={(<PoolSummary state={state} />) as string}
      parts={[
        { id: "workers", label: "Workers" },
        { id: "models", label: "Models" },
        { id: "jobs", label: "Jobs" },
        ...(children === undefined ? [] : [{ id: "try", label: "Try it" }]),
      ]}
    >
      <Part id="workers">
        <WorkerTable plugin={id} work={work} />
        <RestrictionTable plugin={id} what="workers" />
      </Part>
      <Part id="models">
        <ModelTable plugin={id} />
      </Part>
      <Part id="jobs">
        <JobTable plugin={id} />
      </Part>
      {children === undefined ? (
        ""
      ) : (
        <Part id="try">
          <div class="tries">{children as "safe"}</div>
        </Part>
      )}
    </PluginSection>
  ) as string;
}

const CONTEXT_NOTE = "Tokens of one request, input and output; the smallest of the model's workers";
const TOKENS_NOTE = "Over the last minute, as jobs end; streams whose client did not ask for usage mostly count none";

const CACHED_NOTE = "The part of the last minute's prompt tokens that came from caches, where the answers state it";

const SPEED: WorkColumn = {
  label: "Tokens/s",
  sortBy: "tokens_per_s",
  text: "$format.rate(row.tokens_per_s)",
  subText: "$format.count(row.output_tokens_total) + ' total'",
  note: TOKENS_NOTE,
};

function PoolSummary({ state }: { readonly state: string }): string {
  const of = (path: string): string => `${state} ? ${state}.${path} : '–'`;
  return (
    <div class="figures-line">
      <Figure label="workers" one="worker" text={of("workers_summary.connected")} />
      <Figure
        label="running"
        text={`${state} ? ${state}.server.jobs_inflight_total - ${state}.server.scheduler_queue_len : '–'`}
      />
      <Figure label="waiting" text={of("server.scheduler_queue_len")} />
      <Figure label="done" text={`${state} ? $format.count(${state}.server.jobs_completed_total) : '–'`} />
      <Figure label="failed" text={`${state} ? $format.count(${state}.server.jobs_failed_total) : '–'`} />
    </div>
  ) as string;
}

function WorkerTable({ plugin, work }: { readonly plugin: string; readonly work: WorkColumn }): string {
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
    { sortBy: "", label: "Actions" },
  ];
  return (
    <LiveTable
      plugin={plugin}
      list="workers"
      caption="Workers"
      columns={columns}
      sortKey="name"
      facet={{ field: "models", label: "All models" }}
      empty="No worker is connected. The overview shows how to start one."
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
      </Cell>
      <Cell label="Done" isNumber>
        <span x-text="$format.count(row.processed_total)"></span>
        <span class="sub" x-text="'avg ' + $format.duration(row.avg_processing_ms)"></span>
      </Cell>
      <Cell label="Failed" isNumber>
        <span x-text="$format.count(row.failures_total)" x-bind:class="row.failures_total > 0 ? 'alarm' : ''"></span>
      </Cell>
      <Cell label="Since">
        <span
          class="line"
          x-text="$format.age(row.connected_at, $store.pool.now)"
          x-bind:title="row.connected_at"
        ></span>
      </Cell>
      <Cell label="Actions">
        <WorkerActions plugin={plugin} />
      </Cell>
    </LiveTable>
  ) as string;
}

function ModelTable({ plugin }: { readonly plugin: string }): string {
  return (
    <LiveTable
      plugin={plugin}
      list="models"
      caption="Models"
      sortKey="name"
      columns={[
        { sortBy: "name", label: "Model" },
        { sortBy: "type", label: "Type" },
        { sortBy: "context_length", label: "Context", isNumber: true },
        { sortBy: "workers", label: "Workers", isNumber: true },
        { sortBy: "inflight", label: "Load" },
        { sortBy: "waiting", label: "Waiting", isNumber: true },
        { sortBy: "requests_total", label: "Requests", isNumber: true },
        { sortBy: "cached_share", label: "Cached", isNumber: true },
        { sortBy: "tokens_per_s", label: "Tokens/s", isNumber: true },
      ]}
      empty="No worker offers a model."
    >
      <Cell label="Model">
        <b class="name" x-text="row.name" x-bind:title="row.name"></b>
      </Cell>
      <Cell label="Type">
        <span x-text="row.type || '–'"></span>
      </Cell>
      <Cell label="Context" isNumber>
        <span x-text="row.context_length ? $format.count(row.context_length) : '–'" title={CONTEXT_NOTE}></span>
      </Cell>
      <Cell label="Workers" isNumber>
        <span x-text="row.workers"></span>
        <span class="sub" x-show="row.loaded !== null" x-text="'loaded on ' + row.loaded"></span>
      </Cell>
      <Cell label="Load">
        <LoadBar used="(row.slots_total - row.slots_free)" total="row.slots_total" />
      </Cell>
      <Cell label="Waiting" isNumber>
        <span x-text="row.waiting" x-bind:class="row.waiting > 0 ? 'warn' : ''"></span>
        <template x-for="each in row.waiting_by" x-bind:key="each.caller">
          <span class="sub clip" x-text="each.waiting + ' × ' + each.caller" x-bind:title="each.caller"></span>
        </template>
      </Cell>
      <Cell label="Requests" isNumber>
        <span x-text="$format.count(row.requests_total)"></span>
      </Cell>
      <Cell label="Cached" isNumber>
        <span x-text="$format.share(row.cached_share)" title={CACHED_NOTE}></span>
      </Cell>
      <Cell label="Tokens/s" isNumber>
        <span x-text="$format.rate(row.tokens_per_s)" title={TOKENS_NOTE}></span>
      </Cell>
    </LiveTable>
  ) as string;
}

function JobTable({ plugin }: { readonly plugin: string }): string {
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
        { sortBy: "", label: "Actions" },
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
      <Cell label="Actions">
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
