import type { WorkerSettings } from "./args.ts";
import type { Prober } from "./discover.ts";
import type { UsualPlace } from "./find-backends.ts";
import type { HostFacts } from "./host.ts";
import type { BackendState } from "./watch.ts";

/** One kind of job that a worker can serve. Everything else in the worker program is the same for all kinds. */
export interface Kind {
  /** As on the command line and in the path of its worker route. */
  readonly name: string;
  /** Where its backends usually listen, in order of preference. */
  readonly places: readonly UsualPlace[];
  /** Longest silence of its backend on one job when the operator names none; the server's own limit, when shorter, comes first. */
  readonly silenceMs: number;
  /** The first message on a link. */
  register(facts: RegisterFacts): object;
  readonly probe: Prober;
  /** A line to paste that tries `model` through the server at this HTTP base URL. */
  curlLine(server: string, model: string): string;
}

export interface RegisterFacts {
  readonly settings: WorkerSettings;
  /** The operator's, else the one that the server made; undefined before the first registration. */
  readonly workerId: string | undefined;
  readonly version: string;
  readonly host: HostFacts;
  readonly backend: BackendState;
}

/** The first message of a worker that serves models. One whose backend is down comes with no room. */
export function modelRegister({ settings, workerId, version, host, backend }: RegisterFacts): object {
  return {
    type: "register",
    client_key: settings.clientKey,
    worker_id: workerId,
    worker_name: settings.name,
    models: backend.models,
    max_concurrency: backend.isUp ? settings.maxConcurrency : 0,
    embedding_batch_size: settings.embeddingBatchSize,
    version,
    agent_config: agentConfig(host, backend),
  };
}

/** What has changed since `was`, as a control message. */
export function statusMessage(
  settings: WorkerSettings,
  host: HostFacts,
  backend: BackendState,
  was?: BackendState,
): object {
  const onlyModels = was?.isUp && backend.isUp && was.base === backend.base && was.version === backend.version;
  if (onlyModels) return { type: "models_update", models: backend.models };
  return {
    type: "status_update",
    status: backend.isUp ? "idle" : "not_ready",
    max_concurrency: backend.isUp ? settings.maxConcurrency : 0,
    models: backend.models,
    reason: backend.reason,
    agent_config: agentConfig(host, backend),
  };
}

function agentConfig(host: HostFacts, backend: BackendState): Readonly<Record<string, string>> {
  return {
    ...host,
    ...(backend.family === undefined ? {} : { backend_family: backend.family }),
    ...(backend.version === undefined ? {} : { backend_version: backend.version }),
  };
}
