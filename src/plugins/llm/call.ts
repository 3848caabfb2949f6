import type { PromptAffinity } from "../../affinity/prompt-affinity.ts";
import type { ActiveCaller } from "../../auth/caller.ts";
import type { Metrics } from "../../figures/metrics.ts";
import { toWorkerHeaders } from "../../http/headers.ts";
import type { Visit } from "../../http/visit.ts";
import type { ModelArea } from "../../models/model-area.ts";
import type { SilenceLimit } from "../../pool/job-spec.ts";
import type { Deps } from "../../system/deps.ts";
import type { ExchangeRequest } from "../../tunnel/exchange.ts";
import type { BodyEdit } from "../../wire/heads.ts";
import type { CacheSalts } from "./cache-salt.ts";
import type { LlmConfig } from "./settings.ts";

/** The parts that serve the plugin's requests. */
export interface LlmPorts {
  readonly area: ModelArea;
  readonly config: LlmConfig;
  readonly deps: Deps;
  readonly metrics: Metrics;
  readonly salts: CacheSalts;
  /** Which worker probably has which prompt in its cache. */
  readonly prompts: PromptAffinity;
}

/** One request of a client that passed the door. */
export interface LlmCall {
  readonly visit: Visit;
  /** MUST leave when the request has ended. */
  readonly caller: ActiveCaller;
  /** Relative to the backend's base, with a leading slash: `/chat/completions`. */
  readonly path: string;
  /** The query with its question mark, or an empty string. */
  readonly search: string;
  /** Set by a client that wants one worker only. */
  readonly workerId: string | undefined;
}

/** What one request to a worker consists of, apart from what the client's request and the settings say. */
export interface LlmAttempt {
  /** The backend's `x-request-id`. */
  readonly id: string;
  readonly stream: boolean;
  /** The client's body, or a part of it. */
  readonly body: Uint8Array;
  /** The change to the body that asks for the usage of the stream; undefined if it is not to be asked for. */
  readonly metered?: BodyEdit | undefined;
}

/** The longest silence of a worker on a request, and the setting that it comes from. */
export function patienceFor(config: LlmConfig, stream: boolean): SilenceLimit & { readonly keptAlive?: SilenceLimit } {
  const whole = { silenceMs: config.requestTimeoutWholeMs, silenceSetting: "REQUEST_TIMEOUT_WHOLE" };
  return stream ? { silenceMs: config.requestTimeoutMs, silenceSetting: "REQUEST_TIMEOUT", keptAlive: whole } : whole;
}

/** Returns the request for a worker. */
export function toExchangeRequest(
  ports: LlmPorts,
  call: LlmCall,
  { id, stream, body, metered }: LlmAttempt,
): ExchangeRequest {
  const headers = toWorkerHeaders(call.visit.request.headers, id);
  const { silenceMs: timeout_ms } = patienceFor(ports.config, stream);
  const head = { method: "POST", path: call.path + call.search, headers, timeout_ms, stream };
  return { head: metered ? { ...head, metered } : head, body };
}
