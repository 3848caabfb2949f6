/** @jsxImportSource @kitajs/html */
import { BoundLink } from "./bound-link.tsx";
import { PlainTable } from "./detail.tsx";
import { ModelLink } from "./model-link.tsx";

// Tables that the pages of workers and models have in common.

/** The newest errors, each with its time and its reason. */
export function ErrorTable({ hasWorker = false }: { readonly hasWorker?: boolean }): string {
  return (
    <PlainTable
      caption="Recent errors"
      list="it.errors"
      rowKey="each.at + at"
      empty="No errors are remembered."
      columns={[
        {
          label: "When",
          cell: (
            <span
              class="line"
              x-text="$format.ago(each.at, $store.pool.now)"
              x-bind:title="$format.time(each.at)"
            ></span>
          ) as string,
        },
        {
          label: "Reason",
          cell: (
            <>
              <span class="alarm" x-text="each.reason"></span>
              <span class="soft" x-show="each.retried">
                {" "}
                retried elsewhere
              </span>
            </>
          ) as string,
        },
        { label: "Request", cell: (<span x-text="each.kind || '–'"></span>) as string },
        hasWorker
          ? {
              label: "Worker",
              cell: (
                <>
                  <BoundLink
                    look="cut"
                    when="each.worker"
                    to="each.worker ? $store.route.href('workers', each.worker.id, { plugin: it.plugin }) : '#workers'"
                    text="each.worker ? each.worker.name : ''"
                  />
                  <span x-show="!each.worker">–</span>
                </>
              ) as string,
            }
          : {
              label: "Model",
              cell: (<ModelLink of="each.model" />) as string,
            },
        { label: "Caller", cell: (<span class="cut" x-text="each.caller || '–'"></span>) as string },
        {
          label: "Job",
          cell: (
            <BoundLink
              when="each.job_id || each.request_id"
              to="$store.route.href('jobs', each.job_id || each.request_id || '')"
              name="'Details of the job ' + (each.kind || '')"
            >
              Details
            </BoundLink>
          ) as string,
        },
      ]}
    />
  ) as string;
}

/** The jobs that a worker or a model has now. */
export function CurrentJobs({ other }: { readonly other: "model" | "worker" }): string {
  return (
    <PlainTable
      caption="Jobs running and waiting"
      list="it.jobs"
      rowKey="each.key"
      empty="No jobs are running or waiting."
      columns={[
        {
          label: "Job",
          cell: (<BoundLink to="$store.route.href('jobs', each.id)" text="each.kind || 'job'" />) as string,
        },
        {
          label: "Status",
          cell: (
            <span
              class="badge"
              x-bind:class="each.status"
              x-text="each.why === '' ? each.status : each.status + ', ' + each.why"
            ></span>
          ) as string,
        },
        other === "model"
          ? {
              label: "Model",
              cell: (<ModelLink of="each.model" />) as string,
            }
          : { label: "Worker", cell: (<span class="cut" x-text="each.worker_name || '–'"></span>) as string },
        { label: "Caller", cell: (<span class="cut" x-text="each.caller"></span>) as string },
        {
          label: "Waited",
          isNumber: true,
          cell: (<span x-text="$format.duration(each.waiting_ms)"></span>) as string,
        },
        {
          label: "Running",
          isNumber: true,
          cell: (<span x-text="$format.duration(each.running_ms)"></span>) as string,
        },
      ]}
    />
  ) as string;
}
