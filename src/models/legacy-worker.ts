import * as v from "valibot";
import { isRecord, parseJson } from "../json/parse.ts";
import type { Dialect, Incoming } from "../tunnel/dialect.ts";
import type { AnswerSpool } from "../tunnel/overflow.ts";
import { ReceiveCredit } from "../wire/credit.ts";
import type { ResetCode } from "../wire/frame.ts";
import { isHeaderPairs, type ResponseHead } from "../wire/heads.ts";
import { parseControl } from "../wire/worker-messages.ts";
import { LegacyLane } from "./legacy-lane.ts";
import type { RequestRoom } from "./request-room.ts";

/**
 * A message of an agent about one exchange. The predecessor's dialect for model workers (its public source, v0.9.6) is JSON
 * text with bodies in standard base64. A request is one message, and there is no flow control.
 */
export type LegacyMessage =
  | { readonly type: "headers"; readonly id: number; readonly head: ResponseHead }
  | { readonly type: "chunk"; readonly id: number; readonly body: Uint8Array }
  | {
      readonly type: "end";
      readonly id: number;
      readonly error: { readonly code: string; readonly message: string } | undefined;
    };

const headersSchema = v.object({
  request_id: v.string(),
  status: v.number(),
  headers: v.nullish(v.record(v.string(), v.string())),
});
const chunkSchema = v.object({ request_id: v.string(), data: v.nullish(v.string()) });
const endSchema = v.object({
  request_id: v.string(),
  error: v.nullish(v.object({ code: v.nullish(v.string()), message: v.nullish(v.string()) })),
});

/**
 * The longest base64 text of a chunk. Agents send up to 32 KiB in one; other programs that speak the dialect may send
 * more.
 */
const MAX_CHUNK_CHARS = 1024 * 1024;

/** Decodes standard base64 that is complete and padded. White space, which the decoder skips, is found by the length. */
function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length > MAX_CHUNK_CHARS) return undefined;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  try {
    // Buffer's decoder would also accept the URL alphabet and characters above one byte.
    const bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
    return bytes.length === (text.length / 4) * 3 - padding ? bytes : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Decodes one message. Undefined for a message other than an `http_proxy_*` answer, which the control decoder reads. */
export function decodeLegacy(
  json: unknown,
): LegacyMessage | { readonly type: "bad"; readonly reason: string } | undefined {
  if (!isRecord(json)) return undefined;
  switch (json["type"]) {
    case "http_proxy_response_headers": {
      const parsed = v.safeParse(headersSchema, json);
      if (!parsed.success) return bad("invalid http_proxy_response_headers");
      const id = toId(parsed.output.request_id);
      const { status } = parsed.output;
      // The fault is the backend's and not the agent's, so an invalid status ends one exchange, and an invalid header is
      // dropped.
      if (!Number.isInteger(status) || status < 200 || status > 599) {
        return { type: "end", id, error: { code: "bad_status", message: "no HTTP status" } };
      }
      const headers = Object.entries(parsed.output.headers ?? {}).filter((pair) => isHeaderPairs([pair]));
      return { type: "headers", id, head: { status, headers } };
    }
    case "http_proxy_response_chunk": {
      const parsed = v.safeParse(chunkSchema, json);
      const body = parsed.success ? decodeBase64(parsed.output.data ?? "") : undefined;
      if (!parsed.success || !body) return bad("invalid http_proxy_response_chunk");
      return { type: "chunk", id: toId(parsed.output.request_id), body };
    }
    case "http_proxy_response_end": {
      const parsed = v.safeParse(endSchema, json);
      if (!parsed.success) return bad("invalid http_proxy_response_end");
      const { error } = parsed.output;
      return {
        type: "end",
        id: toId(parsed.output.request_id),
        error: error ? { code: error.code ?? "", message: error.message ?? "" } : undefined,
      };
    }
    default:
      return undefined;
  }
}

/**
 * The most bytes of one answer on their way to the disk. There are few at any time, unless an agent on the same machine
 * sends faster than the disk writes.
 */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;

/** The interval of an agent's heartbeats, also while it works. */
const AGENT_BEATS_EVERY_MS = 5000;

/** The statuses with which an agent reports its own failures. The reason comes later, in its end message. */
const AGENT_FAILURE_STATUS = [502, 503];
/** Above this size an answer with such a status is the backend's own: an agent's text is one line. */
const HELD_ANSWER_BYTES = 64 * 1024;

/** Limits of the memory that the dialect needs because it has no flow control. */
export interface LegacyLimits {
  /** The most bytes of one answer that wait in memory for a slow client. */
  readonly holdBytes: number;
  /** Creates the place on disk for all further bytes. Without it, an answer that has more is cut. */
  readonly createSpool?: (() => AnswerSpool) | undefined;
  /** The largest body of a request. */
  readonly maxRequestBytes: number;
  /** The memory that all incomplete requests share. */
  readonly room: RequestRoom;
}

/**
 * Creates the legacy dialect as the server speaks it. Its only state are answers that it holds back until it knows whether
 * they are the agent's or the backend's.
 */
export function createLegacyDialect({ holdBytes, createSpool, maxRequestBytes, room }: LegacyLimits): Dialect {
  const lanes = new Map<number, LegacyLane>();
  const held = new Map<number, { readonly head: ResponseHead; readonly pieces: Uint8Array[]; bytes: number }>();
  /** The open exchanges whose head was passed on. */
  const begun = new Set<number>();

  const toIncoming = (message: LegacyMessage, isOpen: boolean): Incoming => {
    const { id } = message;
    const answer = held.get(id);
    if (message.type === "headers") {
      if (answer) {
        held.delete(id);
        // An answer with two heads is a violation. The exchange has seen neither, and learns of it as data without a head.
        return { type: "response_data", id, end: false, body: EMPTY };
      }
      if (!isOpen || begun.has(id) || !AGENT_FAILURE_STATUS.includes(message.head.status)) {
        if (isOpen) begun.add(id);
        return { ...message, type: "response", end: false, body: EMPTY };
      }
      held.set(id, { head: message.head, pieces: [], bytes: 0 });
      return { type: "ignored" };
    }
    if (message.type === "chunk") {
      if (!answer) return { ...message, type: "response_data", end: false };
      // Empty chunks do not count against the limit, so they must not pile up.
      if (message.body.length > 0) answer.pieces.push(message.body);
      answer.bytes += message.body.length;
      if (answer.bytes <= HELD_ANSWER_BYTES) return { type: "ignored" };
      held.delete(id);
      begun.add(id);
      return { type: "response", id, end: false, head: answer.head, body: Buffer.concat(answer.pieces) };
    }
    held.delete(id);
    if (message.error)
      return {
        type: "reset",
        id,
        code: toResetCode(message.error.code, !begun.has(id)),
        message: message.error.message,
      };
    if (!answer) return { type: "response_data", id, end: true, body: EMPTY };
    return { type: "response", id, end: true, head: answer.head, body: Buffer.concat(answer.pieces) };
  };

  return {
    name: "legacy",
    sendWindow: Number.POSITIVE_INFINITY,
    maxRequestBytes,
    beatsEveryMs: AGENT_BEATS_EVERY_MS,
    hold: createSpool && { bytes: holdBytes, maxWaitingBytes: MAX_WAITING_BYTES, createSpool },
    // The agent cannot be told to wait, so the credit only counts the held bytes and is returned byte by byte.
    createReceiveCredit: () => new ReceiveCredit(createSpool ? Number.POSITIVE_INFINITY : holdBytes, 1),
    decode(message, isOpen) {
      if (typeof message !== "string") return { type: "bad", reason: "binary frames need the subprotocol moorage.v1" };
      const json = parseJson(message);
      const legacy = decodeLegacy(json);
      if (legacy?.type === "bad") return legacy;
      if (legacy) return toIncoming(legacy, isOpen(legacy.id));
      const control = parseControl(json);
      if (control.type === "unknown") return { type: "ignored" };
      return control.type === "bad" ? control : { type: "control", control };
    },
    createLane(id, wire) {
      const lane = new LegacyLane(id, wire, room);
      lanes.set(id, lane);
      return lane;
    },
    // The agents know no drain message. They see the close and reconnect.
    drainMessage: () => undefined,
    handoverMessage: () => undefined,
    forget: (id) => {
      lanes.get(id)?.leave();
      lanes.delete(id);
      held.delete(id);
      begun.delete(id);
    },
  };
}

const EMPTY = new Uint8Array(0);

/**
 * Maps an agent's error code. Before any answer, `upstream_error` means that the agent could not reach its backend, and
 * another worker may. After an answer has begun, it means that the backend broke off.
 */
function toResetCode(code: string, beforeAnswer: boolean): ResetCode {
  if (code === "worker_draining") return "draining";
  if (code === "upstream_error") return beforeAnswer ? "upstream_unreachable" : "upstream_error";
  if (code === "canceled" || code === "timeout") return code;
  return "upstream_error";
}

/** Reads an exchange id. The server writes ids as decimal numbers; any other text becomes 0, which was never opened. */
function toId(requestId: string): number {
  return /^[0-9]{1,10}$/.test(requestId) ? Number(requestId) : 0;
}

function bad(reason: string): { readonly type: "bad"; readonly reason: string } {
  return { type: "bad", reason };
}
