import type { Leave } from "../../auth/auth.ts";
import { Fault } from "../../errors.ts";
import { declaredLength } from "../../http/body.ts";
import { toWorkerHeaders } from "../../http/headers.ts";
import type { Listener } from "../../http/listener.ts";
import type { ModelArea } from "../../models/model-area.ts";
import type { Deps } from "../../system/deps.ts";
import type { ExchangeRequest } from "../../tunnel/exchange.ts";
import type { Recording } from "../../upload/recording.ts";
import type { SpoolSpace } from "../../upload/spool-space.ts";
import type { AsrConfig } from "./settings.ts";

/** What the plugin's requests are served with. */
export interface AsrPorts {
  readonly area: ModelArea;
  readonly config: AsrConfig;
  readonly deps: Deps;
  readonly listener: Listener;
  readonly spoolSpace: SpoolSpace;
}

/** One request of a client that was let in. */
export interface AsrCall {
  readonly request: Request;
  readonly requestId: string;
  /** Relative to the backend's base, with its query: `/audio/transcriptions`. */
  readonly path: string;
  /** The operation's name for operators: `audio.transcriptions`. */
  readonly kind: string;
  /** MUST be called when the request has ended: it then no longer counts among its caller's. */
  readonly leave: Leave;
}

/** The call as a worker gets it, its body from the first byte. Throws `worker_lost` if that cannot be sent again. */
export function toExchangeRequest(
  { config }: AsrPorts,
  { request, requestId, path }: AsrCall,
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
