/** @jsxImportSource @kitajs/html */
import type { AnyElysia } from "elysia";
import type { ActiveCaller } from "../../../../src/auth/caller.ts";
import { drainingFault, Fault } from "../../../../src/errors.ts";
import { readBody } from "../../../../src/http/body.ts";
import { toWorkerHeaders } from "../../../../src/http/headers.ts";
import type { Visit } from "../../../../src/http/visit.ts";
import { isRecord, parseJson } from "../../../../src/json/parse.ts";
import type { ModelArea } from "../../../../src/models/model-area.ts";
import { createModelPlugin } from "../../../../src/models/model-plugin.ts";
import { bodyFor } from "../../../../src/models/named-body.ts";
import { modelSection } from "../../../../src/models/view.tsx";
import { API_KEY_SECURITY, errorResponses, rawAnswer } from "../../../../src/openapi/schema.ts";
import type { PluginContext } from "../../../../src/plugin/contract.ts";
import { definePlugin } from "../../../../src/plugin/definition.ts";
import { createRoutes } from "../../../../src/plugin/route-context.ts";
import { answerWithJob } from "../../../../src/reply/answer.ts";
import { dataEvent } from "../../../../src/reply/sse.ts";

const TAG = { name: "Speech", description: "Text to speech: OpenAI's API, served by workers." };

/** Text to speech, served by workers that dial in. */
export const ttsPlugin = definePlugin({
  id: "tts",
  create: (context) =>
    createModelPlugin(context, {
      tag: TAG,
      modelType: "speech",
      section: modelSection({ id: "tts", label: "Text to speech", kind: "Voice" }),
      routes: (area) => ttsRoutes(area, context),
    }),
});

function ttsRoutes(area: ModelArea, context: PluginContext): AnyElysia {
  return createRoutes().post(
    "/v1/audio/speech",
    async ({ visit }) => {
      const caller = context.auth.enter(visit, "api");
      try {
        return await speak(area, context, visit, caller);
      } catch (error) {
        caller.leave();
        throw error;
      }
    },
    {
      parse: "none",
      detail: {
        tags: [TAG.name],
        summary: "Speak a text",
        security: API_KEY_SECURITY,
        responses: {
          200: rawAnswer("audio/mpeg", "The speech, in the format that was asked for."),
          ...errorResponses("invalid_request", "invalid_api_key", "model_not_found", "queue_full", "draining"),
        },
      },
    },
  );
}

async function speak(
  area: ModelArea,
  { config, deps }: PluginContext,
  visit: Visit,
  caller: ActiveCaller,
): Promise<Response> {
  if (area.isDraining) throw drainingFault();
  const { request, requestId } = visit;
  const { earlyHeadersMs, keepaliveIntervalMs: keepaliveMs, requestTimeoutMs, clientStallTimeoutMs } = config;
  const body = await readBody(request, {
    maxBytes: config.maxJsonBodyBytes,
    setting: "MAX_BODY_BYTES",
    timeoutMs: clientStallTimeoutMs,
    clock: deps.clock,
    liftIdleTimeout: () => caller.linger(),
  });
  const model = modelOf(body);
  caller.linger();
  area.began();
  return answerWithJob(
    { pool: area.pool, clock: deps.clock, earlyHeadersMs, keepaliveMs },
    {
      requestId,
      signal: request.signal,
      isStream: false,
      spec: {
        requestId,
        caller,
        kind: "audio.speech",
        model,
        exact: true,
        silenceMs: requestTimeoutMs,
        stallMs: clientStallTimeoutMs,
        request: (claim) => {
          const headers = toWorkerHeaders(request.headers, requestId);
          const head = { method: "POST", path: "/audio/speech", headers, timeout_ms: requestTimeoutMs };
          return { head, body: bodyFor(claim, model, body) };
        },
      },
      errorEvent: (fault) => dataEvent(fault.body()),
      observe: () => {},
      onReport: (report) => {
        area.ended({ requestId, caller, model, report, usage: undefined, bytesIn: body.length });
        caller.leave();
      },
    },
  );
}

function modelOf(body: Uint8Array): string {
  const value = parseJson(new TextDecoder().decode(body));
  if (isRecord(value) && typeof value["model"] === "string") return value["model"];
  throw new Fault("invalid_request", { message: "'model' must be a string that names a model.", param: "model" });
}
