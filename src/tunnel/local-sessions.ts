import type { Deps } from "../system/deps.ts";
import { type LinkLimits, WorkerEndpoint } from "./endpoint.ts";
import type { Intake, IntakeOptions, SessionSource } from "./session-source.ts";

/** The sessions of workers that are connected to this server: a WebSocket endpoint for each plugin. */
export class LocalSessions implements SessionSource {
  readonly #deps: Deps;
  readonly #serverId: string;
  readonly #limits: LinkLimits;

  constructor(deps: Deps, serverId: string, limits: LinkLimits) {
    this.#deps = deps;
    this.#serverId = serverId;
    this.#limits = limits;
  }

  createIntake({ pluginId, ...options }: IntakeOptions): Intake {
    const deps = { ...this.#deps, log: this.#deps.log.with({ plugin: pluginId }) };
    return new WorkerEndpoint({ deps, serverId: this.#serverId, limits: this.#limits, ...options });
  }
}
