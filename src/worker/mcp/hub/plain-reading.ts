import type { RequestId } from "@modelcontextprotocol/server";
import type { Answer } from "../../../answering/opening.ts";
import { isContentCoding, isEventStreamType } from "../../../wire/response-progress.ts";
import { type PlainAnswer, readPlainAnswer } from "../bridge/direct/plain-answer.ts";
import { firstEvent } from "./first-event.ts";
import { ReplayableBody } from "./replayable-body.ts";

/** What was made of an MCP server's answer. */
export type PlainReading =
  /**
   * One result. `rest` resolves once the answer has ended: with the whole answer if it has more than the result, else with
   * undefined. It is undefined for an answer that has ended.
   */
  | { readonly kind: "plain"; readonly answer: PlainAnswer; readonly rest: Promise<Answer | undefined> | undefined }
  /** Anything else, to be read by who reads all of them. */
  | { readonly kind: "other"; readonly answer: Answer };

/** The most bytes of an answer that are held to be looked at. */
const MAX_BYTES = 256 * 1024;
/** The most pieces of an event stream after which it is looked at again, from its beginning. */
const MAX_LOOKS = 64;

/** Reads an answer that is the result of one request and little else: as JSON, or as the first message of an event stream. */
export async function readPlain(answer: Answer, id: RequestId): Promise<PlainReading> {
  const form = formOf(answer);
  if (form === undefined) return { kind: "other", answer };
  const body = new ReplayableBody(answer.body);
  const plain = form.kind === "json" ? await readJson(body, form.bytes, id) : await readEvents(body, id);
  if (!plain) return { kind: "other", answer: { ...answer, body: body.replay() } };
  return {
    kind: "plain",
    answer: plain.answer,
    rest: form.kind === "json" ? undefined : restOf(answer, body, plain.end),
  };
}

interface Found {
  readonly answer: PlainAnswer;
  /** Where it ends in what has been read. */
  readonly end: number;
}

async function readJson(body: ReplayableBody, length: number | undefined, id: RequestId): Promise<Found | undefined> {
  while (body.bytes <= MAX_BYTES && body.bytes !== length && (await body.next()));
  if (body.bytes > MAX_BYTES || body.hasFailed) return undefined;
  const answer = readPlainAnswer(body.joined(), id);
  return answer && { answer, end: body.bytes };
}

async function readEvents(body: ReplayableBody, id: RequestId): Promise<Found | undefined> {
  // An event is there as soon as its last byte is.
  for (let looks = 0; looks < MAX_LOOKS && body.bytes <= MAX_BYTES; looks += 1) {
    const bytes = body.joined();
    const event = firstEvent(bytes);
    if (event.kind === "other") return undefined;
    if (event.kind === "data") {
      const answer = readPlainAnswer(bytes.subarray(event.data.start, event.data.end), id);
      return answer && { answer, end: event.end };
    }
    if (!(await body.next())) return undefined;
  }
  return undefined;
}

async function restOf(answer: Answer, body: ReplayableBody, end: number): Promise<Answer | undefined> {
  const hasMore = body.bytes > end || (await body.next());
  return hasMore ? { ...answer, body: body.replay() } : undefined;
}

type Form = { readonly kind: "json"; readonly bytes: number | undefined } | { readonly kind: "events" };

/** Returns the form of an answer with status 200; undefined for one that is neither JSON nor an event stream. */
function formOf({ status, headers }: Answer): Form | undefined {
  if (status !== 200) return undefined;
  let type = "";
  let length: number | undefined;
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (lower === "content-type") type = value;
    else if (lower === "content-length") length = Number(value);
    else if (lower === "content-encoding" && isContentCoding(value)) return undefined;
  }
  if (isEventStreamType(type)) return { kind: "events" };
  return /^application\/json\s*(?:;|$)/i.test(type) ? { kind: "json", bytes: length } : undefined;
}
