import type { ControlMessage, RegisterMessage } from "../wire/worker-messages.ts";
import type { WorkerSettings } from "./args.ts";
import type { Introduction } from "./dialer.ts";
import type { HostFacts } from "./host.ts";
import { type Kind, statusMessage } from "./kind.ts";
import type { BackendState } from "./watch.ts";

export interface ModelIntroductionOptions {
  readonly kind: Kind;
  readonly settings: WorkerSettings;
  readonly host: HostFacts;
  readonly version: string;
  /** Returns what is known about the backend now. */
  readonly state: () => BackendState;
}

/** The introduction of a worker that serves models: its models, its slots, and why it has none. */
export class ModelIntroduction implements Introduction {
  readonly #options: ModelIntroductionOptions;
  /** The state that the server knows. */
  #announced: BackendState | undefined;
  /** Whether the server must still be told why this worker is not ready: a registration cannot contain the reason. */
  #owesReason = false;

  constructor(options: ModelIntroductionOptions) {
    this.#options = options;
  }

  first(workerId: string | undefined): RegisterMessage {
    const { kind, settings, host, version, state } = this.#options;
    const backend = state();
    this.#announced = backend;
    this.#owesReason = !backend.isUp;
    return kind.register({ settings, workerId, version, host, backend });
  }

  update(): ControlMessage | undefined {
    const { settings, host, state } = this.#options;
    const now = state();
    const was = this.#announced;
    if (!this.#owesReason && now === was) return undefined;
    this.#announced = now;
    const isWhole = this.#owesReason;
    this.#owesReason = false;
    return statusMessage(settings, host, now, isWhole ? undefined : was);
  }
}
