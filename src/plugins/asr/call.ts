import type { ActiveCaller } from "../../auth/caller.ts";
import { Fault } from "../../errors.ts";
import { declaredLength } from "../../http/body.ts";
import { toWorkerHeaders } from "../../http/headers.ts";
import type { Visit } from "../../http/visit.ts";
import type { ModelArea } from "../../models/model-area.ts";
import type { Deps } from "../../system/deps.ts";
import type { ExchangeRequest } from "../../tunnel/exchange.ts";
import type { Recording } from "../../upload/recording.ts";
import type { SpoolSpace } from "../../upload/spool-space.ts";
import type { AsrConfig } from "./settings.ts";

/** The parts that serve the plugin's requests. */
export interface AsrPorts {
  readonly area: ModelArea;
  readonly config: AsrConfig;
  readonly deps: Deps;
  readonly spoolSpace: SpoolSpace;
}

/** One request of a client that passed the door. */
export interface AsrCall {
  readonly visit: Visit;
  /** MUST leave when the request has ended. */
  readonly caller: ActiveCaller;
  /** Relative to the backend's base, with its query: `/audio/transcriptions`. */
  readonly path: string;
  /** The operation's name for operators: `audio.transcriptions`. */
  readonly kind: string;
}

/** Returns the request for a worker, with the body from its first byte. Throws `worker_lost` if that is no longer kept. */
export function toExchangeRequest(
  { config }: AsrPorts,
  { visit: { request, requestId }, path }: AsrCall,
  recording: Recording,
): ExchangeRequest {
  if (!recording.canBeSentAgain && recording.bytes > 0) throw new Fault("worker_lost");
  const length = declaredLength(request.headers);
  const headers = toWorkerHeaders(request.headers, requestId);
  return {
    head: {
      method: "POST",
      path,
      // Some transcription servers refuse a body without a length.
      headers: length === undefined ? headers : [...headers, ["content-length", String(length)]],
      timeout_ms: config.asrRequestTimeoutMs,
      // Read when the head is written. For a worker without flow control that is after the whole body.
      get stream() {
        return recording.isStreamSoFar;
      },
    },
    body: recording.body(),
  };
}
