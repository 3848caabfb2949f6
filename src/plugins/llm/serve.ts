import { drainingFault, Fault } from "../../errors.ts";
import { readBody } from "../../http/body.ts";
import { attemptId } from "../../http/headers.ts";
import { bodyFor } from "../../models/named-body.ts";
import { answerWithJob } from "../../reply/answer.ts";
import { AnswerEnds } from "../../reply/answer-ends.ts";
import { type LlmCall, type LlmPorts, patienceFor, toExchangeRequest } from "./call.ts";
import { parseEmbeddingInput } from "./embedding-input.ts";
import { relayEmbeddings } from "./embeddings.ts";
import { errorEvent } from "./error-event.ts";
import { inputTokens, spentOn } from "./estimate.ts";
import { maxOutputOf } from "./max-output.ts";
import { Placement } from "./placement.ts";
import { parseLlmRequest } from "./request.ts";
import { streamFormOf } from "./stream-form.ts";
import { askForUsage, mayAskForUsage } from "./usage-request.ts";

/** Reads a request and answers it with what a worker answers. Rejects with a `Fault` or `ClientGone`. */
export async function serveLlm(ports: LlmPorts, call: LlmCall): Promise<Response> {
  try {
    return await answer(ports, call);
  } catch (error) {
    call.caller.leave();
    throw error;
  }
}

async function answer(ports: LlmPorts, call: LlmCall): Promise<Response> {
  const { area, config, deps } = ports;
  const { visit, caller } = call;
  const { request, requestId } = visit;
  if (area.isDraining) throw drainingFault();
  assertJson(request.headers);
  const body = await readBody(request, {
    maxBytes: config.maxJsonBodyBytes,
    setting: "MAX_BODY_BYTES",
    timeoutMs: config.clientStallTimeoutMs,
    clock: deps.clock,
    liftIdleTimeout: () => caller.linger(),
  });
  const parsed = parseLlmRequest(body);
  // From here on the client only waits, for as long as its job takes.
  caller.linger();
  const { model, stream, value } = parsed;
  const standing = area.standings.of(caller, request.headers, value);
  const isEmbedding = call.path === "/embeddings";
  const input = isEmbedding ? parseEmbeddingInput(value) : undefined;
  const charge = area.charge(visit, caller, () => ({
    inputTokens: inputTokens(body),
    maxOutput: isEmbedding ? 0 : maxOutputOf(value),
  }));
  if (input)
    return relayEmbeddings(ports, call, { body, model, input, standing, charge }).finally(() => caller.leave());

  const ends = new AnswerEnds(!stream);
  // Undefined for an answer whose tokens are not to be estimated.
  const form = stream && config.meterStreams !== "off" ? streamFormOf(call.path) : undefined;
  const isMetered = config.meterStreams === "ask" && mayAskForUsage(call.path, parsed);
  const gap = stream ? ports.metrics.chunkGap("llm") : undefined;
  let lastChunkAt = 0;
  const placement = new Placement({ pool: area.pool, prompts: ports.prompts, log: deps.log }, call, parsed);
  area.began();
  const answered = answerWithJob(
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
      isStream: stream,
      spec: {
        requestId,
        caller,
        class: standing.class,
        endUser: standing.endUser,
        charge,
        kind: kindOf(call.path),
        outputForm: form,
        model,
        workerId: placement.workerId,
        workerReason: placement.workerReason,
        affinity: placement.affinity,
        // Another quantization of a model makes other vectors, so only the exact model serves embeddings.
        exact: isEmbedding,
        ...patienceFor(config, stream),
        stallMs: config.clientStallTimeoutMs,
        request: (claim, nth) => {
          placement.sent(claim.sessionId);
          const own = ports.salts.salted(bodyFor(claim, model, body), caller, claim);
          const metered = isMetered ? askForUsage(own, parsed) : undefined;
          return toExchangeRequest(ports, call, { id: attemptId(requestId, nth), stream, body: own, metered });
        },
      },
      isMetered,
      errorEvent: (fault) => errorEvent(call.path, fault),
      observe: (bytes) => {
        ends.push(bytes);
        if (!gap) return;
        const now = deps.clock.elapsed();
        if (lastChunkAt > 0) gap((now - lastChunkAt) / 1000);
        lastChunkAt = now;
      },
      onReport: (report) => {
        const { usage, isEstimated } = spentOn(ends, report, form, body);
        placement.ended(report, usage, () => ends.first);
        area.ended({
          requestId,
          caller,
          model,
          report,
          usage,
          isEstimated,
          charge,
          outputForm: form,
          bytesIn: body.length,
        });
        caller.leave();
      },
    },
  );
  return placement.explained(answered);
}

/** Longest kind that operators see. Clients can send any path. */
const MAX_KIND_CHARS = 64;

/** Turns a path into the operation's name for operators: `/chat/completions` into `chat.completions`. */
function kindOf(path: string): string {
  return path.slice(1, 1 + MAX_KIND_CHARS).replaceAll("/", ".");
}

function assertJson(headers: Headers): void {
  const encoding = headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity") {
    throw new Fault("unsupported_media_type", {
      message: "Send the request body uncompressed, without Content-Encoding.",
      param: "content-encoding",
    });
  }
  const type = headers.get("content-type");
  if (type !== null && !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new Fault("unsupported_media_type", {
      message: "Send JSON, with 'Content-Type: application/json'.",
      param: "content-type",
    });
  }
}
