import type { ActiveCaller } from "../../auth/caller.ts";
import { Fault } from "../../errors.ts";
import { declaredLength } from "../../http/body.ts";
import { toWorkerHeaders } from "../../http/headers.ts";
import type { Visit } from "../../http/visit.ts";
import type { ModelArea } from "../../models/model-area.ts";
import type { Deps } from "../../system/deps.ts";
import type { ExchangeRequest } from "../../tunnel/exchange.ts";
import { boundaryIn } from "../../upload/form.ts";
import type { Recording } from "../../upload/recording.ts";
import { renamedForm } from "../../upload/renamed-form.ts";
import type { SpoolSpace } from "../../upload/spool-space.ts";
import { AUDIO_FORM } from "./audio-form.ts";
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

/** The parts in which the requests for one upload differ. */
export interface AsrAttempt {
  /** The backend's `x-request-id`. */
  readonly id: string;
  readonly model: ModelNames;
}

/**
 * Returns the request for a worker, with the body from its first byte. The form names the model as the worker does. Throws
 * `worker_lost` if the first bytes are no longer kept.
 */
export function toExchangeRequest(
  { config }: AsrPorts,
  { visit: { request }, path }: AsrCall,
  recording: Recording,
  { id, model }: AsrAttempt,
): ExchangeRequest {
  if (!recording.canBeSentAgain && recording.bytes > 0) throw new Fault("worker_lost");
  const length = lengthToSend(request.headers, model);
  const headers = toWorkerHeaders(request.headers, id);
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
    body: bodyToSend(request.headers, recording, model),
  };
}

/** A model's name in the client's form, and its worker's own name for it. */
export interface ModelNames {
  readonly asked: string;
  readonly sent: string;
}

/** The body's length, if the client declared it; undefined where another name changes it by an unknown number of bytes. */
function lengthToSend(headers: Headers, { asked, sent }: ModelNames): number | undefined {
  const length = declaredLength(headers);
  if (length === undefined || asked === sent) return length;
  // The form's own encoding of a name beyond ASCII is not known here.
  return isAscii(asked) ? length - asked.length + Buffer.byteLength(sent) : undefined;
}

function bodyToSend(headers: Headers, recording: Recording, { asked, sent }: ModelNames): ReadableStream<Uint8Array> {
  if (asked === sent) return recording.body();
  const boundary = boundaryIn(headers.get("content-type") ?? "");
  return renamedForm(recording.body(), { boundary, field: AUDIO_FORM.awaited, from: asked, to: sent });
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}
