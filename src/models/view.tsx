/** @jsxImportSource @kitajs/html */
import { Figure, Part, PluginSection } from "../../views/parts/parts.tsx";
import { RestrictionTable } from "../../views/parts/restrictions.tsx";
import type { Section } from "../plugin/contract.ts";
import { JobTable } from "./job-table.tsx";
import { ModelTable } from "./model-table.tsx";
import { PastJobTable } from "./past-job-table.tsx";
import { OUTPUT_SPEED, type WorkColumn, WorkerTable } from "./worker-table.tsx";

export interface ModelSectionOptions {
  /** The plugin's id. */
  readonly id: string;
  /** The name of the plugin's work in people's words. */
  readonly label: string;
  /** What its workers are, in a word: `LLM`. */
  readonly kind: string;
  /** The column of the workers' table that shows their work; their tokens per second unless given. */
  readonly work?: WorkColumn;
  /** Returns the panels for trying it out, as markup. */
  readonly renderTries?: () => string;
}

/** A plugin's workers, models and jobs on the dashboard. The page's script fills in the data. */
export function modelSection({ id, label, kind, work = OUTPUT_SPEED, renderTries }: ModelSectionOptions): Section {
  const renderWorkers = (): string =>
    (
      <>
        <WorkerTable plugin={id} work={work} />
        <RestrictionTable plugin={id} what="workers" />
      </>
    ) as string; // no component here is asynchronous, so the element is text
  const renderModels = (): string => (<ModelTable plugin={id} />) as string;
  const renderJobs = (): string =>
    (
      <>
        <JobTable plugin={id} />
        <h3 class="past">Recent requests</h3>
        <PastJobTable plugin={id} />
      </>
    ) as string;
  return {
    label,
    workers: { kind, haveModels: true },
    ...(renderTries === undefined ? {} : { shares: { playground: renderTries } }),
    render: () =>
      (
        <PluginSection
          id={id}
          title={label}
          summary={(<PoolSummary state={`$store.pool.plugins.${id}`} />) as string}
          parts={[
            { id: "workers", label: "Workers" },
            { id: "models", label: "Models" },
            { id: "jobs", label: "Jobs" },
          ]}
        >
          <Part id="workers">{renderWorkers() as "safe"}</Part>
          <Part id="models">{renderModels() as "safe"}</Part>
          <Part id="jobs">{renderJobs() as "safe"}</Part>
        </PluginSection>
      ) as string,
  };
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
