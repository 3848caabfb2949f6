import type { Leave } from "../../auth/auth.ts";
import type { Config } from "../../config.ts";
import { Fault } from "../../errors.ts";
import { declaredLength } from "../../http/body.ts";
import { toWorkerHeaders } from "../../http/headers.ts";
import type { Listener } from "../../http/listener.ts";
import type { ModelArea } from "../../models/model-area.ts";
import { answerWithJob } from "../../reply/answer.ts";
import { AnswerEnds } from "../../reply/answer-ends.ts";
import { dataEvent } from "../../reply/sse.ts";
import type { Deps } from "../../system/deps.ts";
import type { ExchangeRequest } from "../../tunnel/exchange.ts";
import { FormReader } from "../../upload/form.ts";
import { Recording, tooLarge } from "../../upload/recording.ts";
import { Spool } from "../../upload/spool.ts";
import type { SpoolSpace } from "../../upload/spool-space.ts";
import { readAudioUsage } from "./audio-usage.ts";

/** What the plugin's requests are served with. */
export interface AsrPorts {
  readonly area: ModelArea;
  readonly config: Config;
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
  /** What is asked, as operators see it: `audio.transcriptions`. */
  readonly kind: string;
  /** To be called when nothing of it is left: it no longer counts among its caller's. */
  readonly leave: Leave;
}

/** Sends the upload to a worker, and answers with what it answers. Throws `Fault` or `ClientGone`. */
export async function serveAsr(ports: AsrPorts, call: AsrCall): Promise<Response> {
  let recording: Recording | undefined;
  try {
    if (ports.area.isDraining) throw new Fault("draining", { retryAfterS: 5 });
    recording = openRecording(ports, call);
    return await transcribe(ports, call, recording, await recording.readModel());
  } catch (error) {
    recording?.close();
    call.leave();
    ports.listener.restoreIdleTimeout(call.request);
    throw error;
  }
}

/** The upload, before its first byte. Throws for one that is refused unseen. */
function openRecording(
  { area, config, deps, listener, spoolSpace }: AsrPorts,
  { request, requestId }: AsrCall,
): Recording {
  const { headers, body } = request;
  assertPlain(headers);
  const maxBytes = config.maxAudioBodyBytes;
  if ((declaredLength(headers) ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const form = new FormReader(headers.get("content-type"));
  if (!body) throw new Fault("invalid_request", { message: "The request has no body.", param: "file" });
  // Long uploads on slow lines, and then a wait for as long as the audio takes.
  listener.liftIdleTimeout(request);
  return new Recording({
    source: body.getReader(),
    form,
    spool: new Spool(spoolSpace),
    maxBytes,
    replayBytes: config.asrReplayBytes,
    stallMs: config.clientStallTimeoutMs,
    clock: deps.clock,
    drainSignal: area.drainSignal,
    onUnspooled: (error) =>
      deps.log.warn("upload.unspooled", {
        plugin: "asr",
        request: requestId,
        reason: error instanceof Error ? error.message : String(error),
        hint: "this upload is lost with its worker; see SPOOL_DIR and SPOOL_BYTES",
      }),
  });
}

function transcribe(ports: AsrPorts, call: AsrCall, recording: Recording, model: string): Promise<Response> {
  const { area, config, deps, listener } = ports;
  const { request, requestId } = call;
  const ends = new AnswerEnds();
  area.began();
  return answerWithJob(
    {
      pool: area.pool,
      clock: deps.clock,
      earlyHeadersMs: config.earlyHeadersMs,
      keepaliveMs: config.keepaliveIntervalMs,
    },
    {
      requestId,
      signal: request.signal,
      isStream: recording.isStream,
      spec: {
        requestId,
        kind: call.kind,
        model,
        // The form's bytes stay as they are, and the model's name is among them.
        exact: true,
        silenceMs: config.asrRequestTimeoutMs,
        stallMs: config.clientStallTimeoutMs,
        request: () => toExchangeRequest(ports, call, recording),
      },
      errorEvent: (fault) => dataEvent(fault.body()),
      observe: (bytes) => {
        recording.keepNoMore();
        ends.push(bytes);
      },
      onReport: (report) => {
        area.ended({ requestId, model, report, usage: readAudioUsage(ends), bytesIn: recording.bytes });
        recording.close();
        call.leave();
        listener.restoreIdleTimeout(request);
      },
    },
  );
}

function toExchangeRequest(
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
      // Not every transcription server takes a body whose length it is not told.
      headers: length === undefined ? headers : [...headers, ["content-length", String(length)]],
      timeout_ms: config.asrRequestTimeoutMs,
      // Asked for when the head is written, which for a worker without flow control is after the whole body.
      get stream() {
        return recording.isStreamSoFar;
      },
    },
    body: recording.body(),
  };
}

function assertPlain(headers: Headers): void {
  const encoding = headers.get("content-encoding");
  if (encoding === null || encoding === "identity") return;
  throw new Fault("unsupported_media_type", {
    message: "Send the request body uncompressed, without Content-Encoding.",
    param: "content-encoding",
  });
}
