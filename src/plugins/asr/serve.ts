import { drainingFault, Fault } from "../../errors.ts";
import { declaredLength } from "../../http/body.ts";
import { attemptId } from "../../http/headers.ts";
import type { Standing } from "../../models/standings.ts";
import { answerWithJob } from "../../reply/answer.ts";
import { AnswerEnds } from "../../reply/answer-ends.ts";
import { dataEvent } from "../../reply/sse.ts";
import { FormReader } from "../../upload/form.ts";
import { Recording, tooLarge } from "../../upload/recording.ts";
import { Spool } from "../../upload/spool.ts";
import { AUDIO_FORM } from "./audio-form.ts";
import { readAudioUsage } from "./audio-usage.ts";
import { type AsrCall, type AsrPorts, toExchangeRequest } from "./call.ts";
import { asrSettings } from "./settings.ts";

/** Sends an upload to a worker and answers with what the worker answers. Rejects with a `Fault` or `ClientGone`. */
export async function serveAsr(ports: AsrPorts, call: AsrCall): Promise<Response> {
  let recording: Recording | undefined;
  try {
    if (ports.area.isDraining) throw drainingFault();
    // The form's fields may come after the file, so only headers name the end user.
    const standing = ports.area.standings.of(call.caller, call.visit.request.headers);
    recording = openRecording(ports, call);
    return await transcribe(ports, call, recording, { model: await recording.readAwaited(), standing });
  } catch (error) {
    recording?.close();
    call.caller.leave();
    throw error;
  }
}

/** Prepares to read the upload. Throws a `Fault` for one that is refused by its headers. */
function openRecording(
  { area, config, deps, spoolSpace }: AsrPorts,
  { visit: { request, requestId }, caller }: AsrCall,
): Recording {
  const { headers, body } = request;
  assertPlain(headers);
  const limit = { bytes: config.maxAudioBodyBytes, setting: asrSettings.maxAudioBodyBytes.variable };
  if ((declaredLength(headers) ?? 0) > limit.bytes) throw tooLarge(limit);
  const form = new FormReader(headers.get("content-type"), AUDIO_FORM);
  if (!body) throw new Fault("invalid_request", { message: "The request has no body.", param: "file" });
  // The upload may be long and its line slow; then the client waits for as long as the audio takes.
  caller.linger();
  return new Recording({
    source: body.getReader(),
    form,
    spool: new Spool(spoolSpace),
    limit,
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

/** What is known of an upload once its form has named a model. */
interface Upload {
  readonly model: string;
  readonly standing: Standing;
}

function transcribe(
  ports: AsrPorts,
  call: AsrCall,
  recording: Recording,
  { model, standing }: Upload,
): Promise<Response> {
  const { area, config, deps } = ports;
  const { caller } = call;
  const { request, requestId } = call.visit;
  const ends = new AnswerEnds();
  const charge = area.charge(call.visit, caller, () => NOTHING_KNOWN);
  area.began();
  return answerWithJob(
    {
      pool: area.pool,
      clock: deps.clock,
      earlyHeadersMs: config.earlyHeadersMs,
      keepaliveMs: config.keepaliveIntervalMs,
      explainRouting: config.explainRouting,
    },
    {
      requestId,
      signal: request.signal,
      isStream: recording.isStream,
      spec: {
        requestId,
        caller,
        ...standing,
        charge,
        kind: call.kind,
        model,
        exact: false,
        silenceMs: config.asrRequestTimeoutMs,
        silenceSetting: asrSettings.asrRequestTimeoutMs.variable,
        keptAlive: { silenceMs: config.requestTimeoutWholeMs, silenceSetting: "REQUEST_TIMEOUT_WHOLE" },
        stallMs: config.clientStallTimeoutMs,
        request: (claim, nth) =>
          toExchangeRequest(ports, call, recording, {
            id: attemptId(requestId, nth),
            model: { asked: model, sent: claim.sentAs },
          }),
      },
      errorEvent: (error) => dataEvent(error.body()),
      observe: (bytes) => {
        recording.stopKeeping();
        ends.push(bytes);
      },
      onReport: (report) => {
        area.ended({ requestId, caller, model, report, usage: readAudioUsage(ends), charge, bytesIn: recording.bytes });
        recording.close();
        caller.leave();
      },
    },
  );
}

/** The length of the audio and of its text is not known before the answer. */
const NOTHING_KNOWN = { inputTokens: 0, maxOutput: undefined };

function assertPlain(headers: Headers): void {
  const encoding = headers.get("content-encoding");
  if (encoding === null || encoding === "identity") return;
  throw new Fault("unsupported_media_type", {
    message: "Send the request body uncompressed, without Content-Encoding.",
    param: "content-encoding",
  });
}
