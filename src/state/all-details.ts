import type { Plugin } from "../plugin/contract.ts";
import type { Details, EndedJobs, JobDetail, ModelDetail, WorkerDetail } from "../plugin/details.ts";

export interface AllDetailsOptions {
  readonly plugins: readonly Plugin[];
  readonly ended?: EndedJobs | undefined;
}

/** Single workers, models and jobs of all servers. */
export class AllDetails {
  readonly #options: AllDetailsOptions;

  constructor(options: AllDetailsOptions) {
    this.#options = options;
  }

  /** Finds a worker of one plugin, or of the first that knows it. A connected one counts more than one that has left. */
  async worker(id: string, plugin: string | undefined): Promise<WorkerDetail | undefined> {
    const found = this.#of(plugin).flatMap((details) => details.worker(id) ?? []);
    return found.find(({ connected }) => connected) ?? found[0];
  }

  async model(name: string, plugin: string | undefined): Promise<ModelDetail | undefined> {
    const found = this.#of(plugin).flatMap((details) => details.model(name) ?? []);
    return found.find((model) => model.workers_total > 0) ?? found[0];
  }

  async job(id: string, plugin: string | undefined): Promise<JobDetail | undefined> {
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
