import type { Deps } from "../system/deps.ts";
import type { WorkerTerms } from "../wire/worker-terms.ts";
import { type EndpointOptions, WorkerEndpoint } from "./endpoint.ts";
import type { OwnerRecords } from "./owners.ts";
import type { Intake, IntakeOptions, SessionSource } from "./session-source.ts";
import type { SessionWatch } from "./session-watch.ts";

export interface LocalSessionsOptions extends Pick<EndpointOptions, "serverId" | "limits" | "isOwner" | "heirOf"> {
  readonly deps: Deps;
  /** Returns the records of one plugin's ids, which are kept over restarts; they are kept in memory alone unless given. */
  readonly ownerRecords?: ((pluginId: string) => OwnerRecords) | undefined;
  /** Returns the watch of one plugin's sessions; none unless given. */
  readonly watch?: ((pluginId: string) => SessionWatch) | undefined;
}

/** The sessions of workers that are connected to this server: a WebSocket endpoint for each plugin. */
export class LocalSessions implements SessionSource {
  readonly #options: LocalSessionsOptions;
  readonly #endpoints: WorkerEndpoint[] = [];

  constructor(options: LocalSessionsOptions) {
    this.#options = options;
  }

  createIntake({ pluginId, ...options }: IntakeOptions): Intake {
    const { ownerRecords, watch, ...rest } = this.#options;
    const deps = { ...rest.deps, log: rest.deps.log.with({ plugin: pluginId }) };
    const ofPlugin = { ownerRecords: ownerRecords?.(pluginId), watch: watch?.(pluginId) };
    const endpoint = new WorkerEndpoint({ ...rest, ...ofPlugin, deps, ...options });
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  /** Takes over what a key allows now for the workers that came with it. */
  setTerms(owner: string, terms: WorkerTerms): void {
    for (const endpoint of this.#endpoints) endpoint.setTerms(owner, terms);
  }

  /** Ends the sessions whose key or role the server no longer has, with the close `key_removed`. Returns their number. */
  closeDisowned(): number {
    return this.#endpoints.reduce((sum, endpoint) => sum + endpoint.closeDisowned(), 0);
  }
}
