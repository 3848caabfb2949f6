import type { ControlMessage, RegisterMessage } from "../wire/worker-messages.ts";
import type { WorkerSettings } from "./args.ts";
import type { Prober } from "./discover.ts";
import type { UsualPlace } from "./find-backends.ts";
import type { HostFacts } from "./host.ts";
import { chooseSlots } from "./slots.ts";
import type { BackendState } from "./watch.ts";

/** One kind of job that a worker can serve: all that differs between kinds in the worker program. */
export interface Kind {
  /** The word on the command line and in the path of its worker route. */
  readonly name: string;
  /** Places where its backends usually listen, in order of preference. */
  readonly places: readonly UsualPlace[];
  /**
   * Longest silence of its backend on one job unless the operator names another; a shorter limit of the server applies
   * first.
   */
  readonly silenceMs: number;
  /** Makes the first message on a link. */
  register(facts: RegisterFacts): RegisterMessage;
  readonly probe: Prober;
  /** Makes a command line that tries `model` through the server at this HTTP base URL. */
  curlLine(server: string, model: string): string;
}

export interface RegisterFacts {
  readonly settings: WorkerSettings;
  /** The operator's id, or the one that the server made; undefined before the first registration. */
  readonly workerId: string | undefined;
  readonly version: string;
  readonly host: HostFacts;
  readonly backend: BackendState;
}

/** Makes the first message of a worker that serves models. While its backend is down it offers no slots. */
export function modelRegister({ settings, workerId, version, host, backend }: RegisterFacts): RegisterMessage {
  return {
    type: "register",
    worker_id: workerId,
    worker_name: settings.name,
    models: backend.models,
    ...infoOf(backend),
    max_concurrency: slotsOf(settings, backend),
    embedding_batch_size: settings.embeddingBatchSize,
    version,
    agent_config: agentConfig(host, backend),
  };
}

/** Makes a control message of what has changed since `was`. */
export function statusMessage(
  settings: WorkerSettings,
  host: HostFacts,
  backend: BackendState,
  was?: BackendState,
): ControlMessage {
  const onlyModels = was?.isUp && backend.isUp && was.base === backend.base && was.version === backend.version;
  if (onlyModels && was.slots === backend.slots)
    return { type: "models_update", models: backend.models, ...infoOf(backend) };
  return {
    type: "status_update",
    status: backend.isUp ? "idle" : "not_ready",
    max_concurrency: slotsOf(settings, backend),
    models: backend.models,
    ...infoOf(backend),
    reason: backend.reason,
    agent_config: agentConfig(host, backend),
  };
}

/** What the worker says of its models, if anything. */
function infoOf({ info, loaded }: BackendState): {
  readonly model_info?: BackendState["info"];
  readonly loaded?: readonly string[];
} {
  return { ...(info.length > 0 && { model_info: info }), ...(loaded && { loaded }) };
}

function slotsOf(settings: WorkerSettings, backend: BackendState): number {
  return backend.isUp ? chooseSlots(settings, backend).slots : 0;
}

function agentConfig(host: HostFacts, backend: BackendState): Readonly<Record<string, string>> {
  return {
    ...host,
    ...(backend.family === undefined ? {} : { backend_family: backend.family }),
    ...(backend.version === undefined ? {} : { backend_version: backend.version }),
  };
}
