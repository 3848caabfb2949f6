import * as v from "valibot";
import { isRecord } from "../json/parse.ts";
import type { Plugin } from "../plugin/contract.ts";
import type { Details, EndedJobs, JobDetail, ModelDetail, WorkerDetail } from "../plugin/details.ts";
import { NO_PEERS, type PeerReadings } from "../plugin/peer-readings.ts";
import { jobDetailSchema, modelDetailSchema, workerDetailSchema } from "./detail-schema.ts";
import { joinModels, joinWorkers, locatedJob, type Told } from "./joined-details.ts";

export interface AllDetailsOptions {
  readonly plugins: readonly Plugin[];
  readonly ended?: EndedJobs | undefined;
  /** The other servers; undefined for a server that is the only one. */
  readonly readings?: PeerReadings | undefined;
}

/** What was found, and the servers that have not answered. */
export type Found<D> = D & { readonly missing_servers: readonly string[] };

/** The name of the reading by which servers ask each other. */
const DETAILS = "details";

type Kind = "worker" | "model" | "job";

/** The longest id or name that another server is asked for. */
const MAX_ID_CHARS = 512;

/** Single workers, models and jobs of all servers of a cluster, each of which knows its own. */
export class AllDetails {
  readonly #options: AllDetailsOptions;

  constructor(options: AllDetailsOptions) {
    this.#options = options;
    options.readings?.answer(DETAILS, (question) => this.#answer(question));
  }

  /** Finds a worker of one plugin, or of the first that knows it. A connected one counts more than one that has left. */
  async worker(id: string, plugin: string | undefined): Promise<Found<WorkerDetail> | undefined> {
    const { readings } = this.#options;
    const own = this.#ownWorker(id, plugin);
    if (!readings) return own && { ...own, missing_servers: [] };
    const { lines, missing } = await this.#ask("worker", id, plugin);
    const told: Told<WorkerDetail>[] = own ? [{ server: readings.serverId, detail: own }] : [];
    const jobs: JobDetail[] = own ? [] : this.#ownJobsOf(id, plugin).map((job) => locatedJob(job, readings.serverId));
    for (const { server, line } of lines) {
      const worker = v.safeParse(workerDetailSchema, line);
      // The schema is that of the type.
      if (worker.success) told.push({ server, detail: worker.output as WorkerDetail });
      const job = worker.success ? undefined : v.safeParse(jobDetailSchema, line);
      if (job?.success) jobs.push(locatedJob(job.output, server));
    }
    // Several plugins may have workers of one id.
    const chosen = told.find(({ detail }) => detail.connected)?.detail.plugin ?? told[0]?.detail.plugin;
    const joined = joinWorkers(
      told.filter(({ detail }) => detail.plugin === chosen),
      jobs.filter((job) => job.plugin === chosen),
    );
    return joined && { ...joined, missing_servers: missing };
  }

  /** Finds a model of one plugin, or of the first that has workers for it. */
  async model(name: string, plugin: string | undefined): Promise<Found<ModelDetail> | undefined> {
    const { readings } = this.#options;
    const own = this.#ownModel(name, plugin);
    if (!readings) return own && { ...own, missing_servers: [] };
    // A server may know a model under one of its other names only by its own workers.
    const { lines, missing } = await this.#ask("model", own?.id ?? name, own?.plugin ?? plugin);
    const told: Told<ModelDetail>[] = own ? [{ server: readings.serverId, detail: own }] : [];
    for (const { server, line } of lines) {
      const model = v.safeParse(modelDetailSchema, line);
      if (model.success) told.push({ server, detail: model.output });
    }
    const [first] = told;
    const joined = joinModels(
      told.filter(({ detail }) => detail.plugin === first?.detail.plugin && detail.id === first.detail.id),
    );
    return joined && { ...joined, missing_servers: missing };
  }

  /** Finds a job that runs, waits or has ended. */
  async job(id: string, plugin: string | undefined): Promise<Found<JobDetail> | undefined> {
    const { readings } = this.#options;
    const own = this.#ownJob(id, plugin);
    if (!readings) return own && { ...own, missing_servers: [] };
    if (own) return { ...locatedJob(own, readings.serverId), missing_servers: [] };
    const { lines, missing } = await this.#ask("job", id, plugin);
    for (const { server, line } of lines) {
      const job = v.safeParse(jobDetailSchema, line);
      if (job.success) return { ...locatedJob(job.output, server), missing_servers: missing };
    }
    return undefined;
  }

  async #ask(kind: Kind, id: string, plugin: string | undefined) {
    if (id.length > MAX_ID_CHARS) return { lines: [], missing: [] };
    const { answers, missing } = (await this.#options.readings?.ask(DETAILS, { kind, id, plugin })) ?? NO_PEERS;
    const lines = [...answers].flatMap(([server, all]) => all.map((line) => ({ server, line })));
    return { lines, missing };
  }

  /** Answers another server with a line for each thing that is found. */
  #answer(question: unknown): readonly string[] {
    if (!isRecord(question)) throw new Error("another server has sent a question that cannot be read");
    const { kind, id, plugin } = question;
    if (typeof id !== "string" || (plugin !== undefined && typeof plugin !== "string"))
      throw new Error("another server has sent a question that cannot be read");
    return this.#found(kind, id, plugin).map((each) => JSON.stringify(each));
  }

  #found(kind: unknown, id: string, plugin: string | undefined): readonly object[] {
    switch (kind) {
      case "worker": {
        const worker = this.#ownWorker(id, plugin);
        return worker ? [worker] : this.#ownJobsOf(id, plugin);
      }
      case "model":
        return [this.#ownModel(id, plugin)].filter((each) => each !== undefined);
      case "job":
        return [this.#ownJob(id, plugin)].filter((each) => each !== undefined);
      default:
        return [];
    }
  }

  #ownWorker(id: string, plugin: string | undefined): WorkerDetail | undefined {
    const found = this.#of(plugin).flatMap((details) => details.worker(id) ?? []);
    return found.find(({ connected }) => connected) ?? found[0];
  }

  #ownJobsOf(workerId: string, plugin: string | undefined): readonly JobDetail[] {
    return this.#of(plugin).flatMap((details) => details.jobsOf(workerId));
  }

  #ownModel(name: string, plugin: string | undefined): ModelDetail | undefined {
    const found = this.#of(plugin).flatMap((details) => details.model(name) ?? []);
    return found.find((model) => model.workers_total > 0) ?? found[0];
  }

  #ownJob(id: string, plugin: string | undefined): JobDetail | undefined {
    for (const details of this.#of(plugin)) {
      const job = details.job(id);
      if (job) return job;
    }
    const job = this.#options.ended?.find(id);
    return plugin === undefined || job?.plugin === plugin ? job : undefined;
  }

  #of(plugin: string | undefined): readonly Details[] {
    return this.#options.plugins.flatMap(({ id, details }) =>
      details && (plugin === undefined || plugin === id) ? [details] : [],
    );
  }
}
