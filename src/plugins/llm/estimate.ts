import type { Usage } from "../../figures/units.ts";
import type { JobReport } from "../../pool/job-spec.ts";
import type { AnswerEnds } from "../../reply/answer-ends.ts";
import type { StreamForm } from "./stream-form.ts";
import { readUsage } from "./usage.ts";

/** What a job used, and whether that is an estimate. */
export interface Spent {
  readonly usage: Usage | undefined;
  readonly isEstimated: boolean;
}

/** The usual number of characters that one token of text stands for. */
const CHARS_PER_TOKEN = 4;

/**
 * The most characters of an event that carries a single token. Longer ones carry several, as vLLM's do under load and
 * those of tool calls often do.
 */
const MAX_TOKEN_CHARS = 12;

/**
 * Returns what a job used: what its answer stated, or else an estimate. Only streams are estimated, because an answer in one
 * piece states its usage if there is any to state. `form` is undefined for a job whose tokens are not to be estimated.
 *
 * A stream that broke off has used what it has sent so far. A client that left before the first byte has used its prompt:
 * the model server was reading it.
 */
export function spentOn(ends: AnswerEnds, report: JobReport, form: StreamForm | undefined, body: Uint8Array): Spent {
  const stated = readUsage(ends);
  const { end, claim, status, bytesOut } = report;
  // The Messages API states the input at the start, and the output only at the end.
  const isBegun = stated !== undefined && form?.name === "messages" && end.kind !== "complete";
  if (form === undefined || (stated && !isBegun)) return { usage: stated, isEstimated: false };
  if (status === undefined) {
    if (end.kind !== "canceled" || !claim) return { usage: undefined, isEstimated: false };
    return { usage: { input_tokens: inputTokens(body), output_tokens: 0 }, isEstimated: true };
  }
  const output = status < 300 ? outputTokens(ends.last, bytesOut) : undefined;
  if (output === undefined) return { usage: stated, isEstimated: false };
  const estimate = { input_tokens: inputTokens(body), output_tokens: output };
  // What it has stated of the output is how much there was at its start.
  return { usage: { ...estimate, ...stated, output_tokens: output }, isEstimated: true };
}

/** The members whose strings are the text that a model has written, in every known form of stream. */
const WRITTEN =
  /"(?:content|reasoning_content|reasoning|thinking|text|delta|arguments|partial_json)"\s*:\s*"((?:[^"\\]|\\.)+)"/g;

/**
 * Estimates the output of an event stream from its last bytes, and the rest by the number of bytes. An event carries one
 * token, or as many as its text is long. Undefined for text that is no event stream.
 */
export function outputTokens(last: string, bytesOut: number): number | undefined {
  if (!/^data:/m.test(last)) return undefined;
  let events = 0;
  let chars = 0;
  for (const [, text = ""] of last.matchAll(WRITTEN)) {
    events += 1;
    chars += text.replaceAll(ESCAPE, "x").length;
  }
  const tokens = chars > events * MAX_TOKEN_CHARS ? chars / CHARS_PER_TOKEN : events;
  const share = Math.max(1, bytesOut / Math.max(1, Buffer.byteLength(last)));
  return Math.round(tokens * share);
}

const ESCAPE = /\\(?:u[\da-fA-F]{4}|.)/g;

/** Estimates the input of a JSON request from its bytes, without the images and sounds in it. */
export function inputTokens(body: Uint8Array): number {
  return Math.ceil((body.length - encodedBytes(body)) / CHARS_PER_TOKEN);
}

/** What precedes base64 in requests: a data URL's own word, and the member for a file in Anthropic's and OpenAI's APIs. */
const BEFORE_BASE64 = [Buffer.from(";base64,"), Buffer.from('"data"')];
const QUOTE = 0x22;
const COLON = 0x3a;
const SPACE = 0x20;

/** No image or sound is smaller. If one is, it counts for at most 256 tokens too many. */
const MIN_FILE_BYTES = 1024;

/** Counts the bytes of base64 in a JSON body. */
function encodedBytes(body: Uint8Array): number {
  if (body.length < MIN_FILE_BYTES) return 0;
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.length);
  let bytes = 0;
  for (const before of BEFORE_BASE64) {
    for (let at = buffer.indexOf(before); at >= 0; at = buffer.indexOf(before, at + 1)) {
      const start = before === BEFORE_BASE64[0] ? at + before.length : startOfString(buffer, at + before.length);
      const end = buffer.indexOf(QUOTE, start);
      if (end < 0) return bytes;
      // A text of the same name has spaces.
      if (!buffer.subarray(start, Math.min(end, start + LOOKED_AT_BYTES)).includes(SPACE)) bytes += end - start;
      at = end;
    }
  }
  return Math.min(bytes, body.length);
}

const LOOKED_AT_BYTES = 128;

/** Returns the position after the quote that opens a member's string; the given one if there is no string. */
function startOfString(buffer: Buffer, from: number): number {
  let at = from;
  while (buffer[at] === SPACE || buffer[at] === COLON) at += 1;
  return buffer[at] === QUOTE ? at + 1 : from;
}
