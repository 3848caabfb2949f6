import { Fault } from "../../errors.ts";
import { isRecord } from "../../json/parse.ts";

/** The parts of a request that the server looks at. Everything else in it is only passed on. */
export interface LlmRequest {
  readonly model: string;
  readonly stream: boolean;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Longest name of a model. Workers cannot register a longer one. */
const MAX_MODEL_CHARS = 512;

// A byte order mark is not JSON (RFC 8259 §8.1). If the decoder dropped it, it would stay in the bytes that are passed on.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads a request's body. Throws `invalid_json`, or an `invalid_request` that names the wrong field. */
export function parseLlmRequest(body: Uint8Array): LlmRequest {
  const value = parse(body);
  if (!isRecord(value)) throw new Fault("invalid_request", { message: "The request body must be a JSON object." });
  assertOneModel(value);
  const { model, stream } = value;
  if (typeof model !== "string" || model === "" || model.length > MAX_MODEL_CHARS) {
    throw new Fault("invalid_request", {
      message: "'model' must be a string that names a model; GET /v1/models lists them.",
      param: "model",
    });
  }
  if (stream !== undefined && stream !== null && typeof stream !== "boolean") {
    throw new Fault("invalid_request", { message: "'stream' must be true or false.", param: "stream" });
  }
  return { model, stream: stream === true, value };
}

const MODEL = "model";

/**
 * Throws for a member such as `Model`. A backend that takes names in any case, as programs in Go do, would answer with
 * the model that it names, which the caller may not be allowed to use and the worker may not offer.
 */
function assertOneModel(value: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(value)) {
    if (name.length !== MODEL.length || name === MODEL || name.toLowerCase() !== MODEL) continue;
    throw new Fault("invalid_request", { message: `Write '${MODEL}' instead of '${name}'.`, param: name });
  }
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body));
  } catch (error) {
    const why = error instanceof TypeError ? "it is not UTF-8" : "it cannot be parsed";
    throw new Fault("invalid_json", { message: `The request body is not valid JSON: ${why}.`, cause: error });
  }
}
