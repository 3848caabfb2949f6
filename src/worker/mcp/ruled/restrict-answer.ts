import type { Answer } from "../../../answering/opening.ts";
import { isRecord, parseJson } from "../../../json/parse.ts";
import type { HeaderPairs } from "../../../wire/heads.ts";
import { isEventStreamType } from "../../../wire/response-progress.ts";
import { discardAnswer, FailedCall } from "../../backend.ts";
import { MAX_MESSAGE_BYTES } from "../bridge/peer.ts";
import type { RuleSet } from "../rules.ts";
import { decodedBody } from "./decoded-body.ts";
import { restricted } from "./lists.ts";
import type { Room } from "./room.ts";
import { type Rewrite, SseRewriter } from "./sse-rewriter.ts";
import { readWhole } from "./whole-body.ts";

const encoder = new TextEncoder();
/** The beginning of an object or a list, also in UTF-16 or UTF-32, which some clients recognise. */
const MAYBE_JSON = /^[\s\ufeff\ufffd\0]*[[{]/;
const LIST_CHANGED = /^notifications\/\w+\/list_changed$/;

/** How answers are restricted. */
export interface Restriction {
  readonly rules: RuleSet;
  readonly room: Room;
  /** Called when the MCP server says that a list has changed. */
  readonly onListChanged: () => void;
}

/**
 * Returns an answer of the MCP server as a caller may see it. An event stream is changed as it comes; any other body is read
 * to its end. Rejects, or breaks off, for what cannot be looked at: a body that is too large, or in an unknown encoding.
 */
export async function restrictAnswer(answer: Answer, restriction: Restriction): Promise<Answer> {
  const { room } = restriction;
  if (answer.body === null) return answer;
  const body = await decodedOf(answer.body, answer);
  const headers = without(answer.headers, ["content-encoding", "content-length", "etag"]);
  if (answer.headers.some(([name, value]) => name.toLowerCase() === "content-type" && isEventStreamType(value))) {
    return { ...answer, headers, body: restrictedEvents(toStream(body), restriction) };
  }
  const whole = await readWhole(body, { most: MAX_MESSAGE_BYTES, room });
  if (whole.kind === "too_large") throw failure("the MCP server's answer is too large to be restricted");
  if (whole.kind === "no_room") throw failure("the relay holds too many large bodies at this time");
  const { bytes, release } = whole;
  try {
    const changed = rewrite(new TextDecoder().decode(bytes), restriction);
    const out = changed === "same" ? bytes : changed === "none" ? new Uint8Array() : encoder.encode(changed);
    // A shared cache must not give this caller's list to another one.
    const cache =
      changed === "same" ? headers : without(headers, ["cache-control"]).concat([["cache-control", "private"]]);
    return { ...answer, headers: cache, body: out };
  } finally {
    release();
  }
}

/** The body without its encoding. One that cannot be looked at is given up. */
async function decodedOf(body: NonNullable<Answer["body"]>, answer: Answer): Promise<NonNullable<Answer["body"]>> {
  try {
    return decodedBody(body, answer.headers);
  } catch (error) {
    await discardAnswer(answer);
    throw error;
  }
}

function restrictedEvents(source: ReadableStream<Uint8Array>, restriction: Restriction): ReadableStream<Uint8Array> {
  const { room } = restriction;
  const rewriter = new SseRewriter((data) => rewrite(data, restriction));
  const reader = source.getReader();
  let held = 0;
  /** Takes room for what is held back between two chunks. Returns false if there is too much. */
  const holds = (bytes: number): boolean => {
    room.giveBack(held);
    held = 0;
    if (bytes > MAX_MESSAGE_BYTES || !room.take(bytes)) return false;
    held = bytes;
    return true;
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          for (;;) {
            const { done, value } = await reader.read();
            const out = done ? rewriter.end() : rewriter.push(value);
            if (!holds(rewriter.pendingBytes))
              throw failure("an event of the MCP server is too large to be restricted");
            if (out.length > 0) controller.enqueue(out);
            if (done) return controller.close();
            if (out.length > 0) return;
          }
        } catch (error) {
          holds(0);
          controller.error(error);
          await reader.cancel(error).catch(() => {});
        }
      },
      cancel(reason) {
        holds(0);
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

/** The JSON of a body or an event, changed where the rules say so. Throws for what some client might read as JSON. */
function rewrite(text: string, { rules, onListChanged }: Restriction): ReturnType<Rewrite> {
  const message = parseJson(text);
  if (message === undefined) {
    // Python reads NaN, for example. A page or a path is no message for anybody.
    if (MAYBE_JSON.test(text)) throw failure("the MCP server's answer is not valid JSON, so it cannot be restricted");
    return "same";
  }
  if (isRecord(message) && LIST_CHANGED.test(String(message["method"]))) onListChanged();
  const becomes = restricted(message, rules);
  if (becomes === undefined) return "none";
  return becomes === message ? "same" : JSON.stringify(becomes);
}

function toStream(body: Uint8Array | ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  if (body instanceof ReadableStream) return body;
  return new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(body);
      controller.close();
    },
  });
}

function without(headers: HeaderPairs, names: readonly string[]): HeaderPairs {
  return headers.filter(([name]) => !names.includes(name.toLowerCase()));
}

function failure(message: string): FailedCall {
  return new FailedCall({ code: "upstream_error", message });
}
