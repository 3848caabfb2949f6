/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";
import { Figure, Part, PluginSection } from "../../views/parts/parts.tsx";
import { RestrictionTable } from "../../views/parts/restrictions.tsx";
import { JobTable } from "./job-table.tsx";
import { ModelTable } from "./model-table.tsx";
import { PastJobTable } from "./past-job-table.tsx";
import { OUTPUT_SPEED, type WorkColumn, WorkerTable } from "./worker-table.tsx";

export interface PoolViewProps {
  readonly id: string;
  readonly title: string;
  /** The column of the workers' table that shows their work; their tokens per second unless given. */
  readonly work?: WorkColumn;
}

/** A plugin's workers, models and jobs, and its own panels for trying it out. The page's script fills in the data. */
export function PoolView({ id, title, work = OUTPUT_SPEED, children }: PropsWithChildren<PoolViewProps>): string {
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
        ...(children === undefined ? [] : [{ id: "try", label: "Try it", isForAdmins: true }]),
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
        <h3 class="past">Recent requests</h3>
        <PastJobTable plugin={id} />
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
