import { parseJson } from "../../json/parse.ts";
import { membersOf, type Range } from "../../json/scan.ts";
import type { Dialect, Incoming, Wire } from "../../tunnel/dialect.ts";
import type { Lane } from "../../tunnel/exchange.ts";
import { bearerIn } from "../../wire/bearer.ts";
import { ReceiveCredit } from "../../wire/credit.ts";
import type { HeaderPairs, RequestHead, ResponseHead } from "../../wire/heads.ts";
import { type LegacyPlan, planLegacyCall } from "./legacy-plan.ts";

/** Largest message that the predecessor's agents read. A larger one ends their link. */
const AGENT_READ_BYTES = 32 * 1024;
/** Generous size of everything around a payload in its message. */
const ENVELOPE_BYTES = 256;
/** Largest answer that is read from one message, whatever the server's own limit. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;
const JSON_HEADERS: HeaderPairs = [["content-type", "application/json"]];
/** Longest text of an agent's own that is read. */
const MAX_TEXT_BYTES = 64 * 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A call that was opened with the agent. */
interface Opened {
  readonly wire: Wire;
  readonly payload: string;
  /** The JSON-RPC id as it was written; undefined for a message without one. */
  readonly id: string | undefined;
  /** Whether the caller sent a token. */
  readonly hasToken: boolean;
}

/**
 * Returns the largest message that is read from an agent, if answers may have `maxAnswerBytes`. It is twice as large, so
 * that an answer over the limit fails its own call, instead of ending the link with every other call on it.
 */
export function legacyMessageBytes(maxAnswerBytes: number): number {
  return 2 * Math.min(maxAnswerBytes, MAX_ANSWER_BYTES) + ENVELOPE_BYTES;
}

/**
 * The predecessor's dialect for MCP relays (its public source, v0.9.6): JSON text, one JSON-RPC request and one answer per
 * `sid`. It has no streams, sessions or transport headers; `legacy-plan.ts` decides what to do with each request.
 */
export function createLegacyRelayDialect(): Dialect {
  const opened = new Map<number, Opened>();

  const toIncoming = (message: Uint8Array, members: ReadonlyMap<string, Range>): Incoming => {
    const textOf = (name: string): string => toText(message, members.get(name));
    const t = textOf("t");
    if (t === "ping") return { type: "reply", text: '{"t":"pong"}' };
    const sid = textOf("sid");
    const id = /^\d{1,10}$/.test(sid) ? Number(sid) : 0;
    const call = opened.get(id);
    // The call was answered or given up already, or was never opened.
    if (!call) return { type: "ignored" };
    switch (t) {
      case "open.ok":
        call.wire.send(`{"t":"rpc","sid":"${id}","payload":${call.payload}}`);
        return { type: "ignored" };
      case "open.fail":
        return refused(id, call, textOf("code"), textOf("msg"));
      case "rpc":
        return answered(id, call, message, members.get("payload"));
      case "close":
        return { type: "reset", id, code: "upstream_error", message: "the agent closed the call without an answer" };
      default:
        return { type: "ignored" };
    }
  };

  return {
    name: "legacy",
    sendWindow: Number.POSITIVE_INFINITY,
    maxRequestBytes: AGENT_READ_BYTES - ENVELOPE_BYTES,
    // An answer is one message, so credit cannot hold anything back. The call has a limit of its own.
    createReceiveCredit: () => new ReceiveCredit(Number.POSITIVE_INFINITY, 1),
    decode(message) {
      if (typeof message !== "string") return { type: "bad", reason: "binary frames need the subprotocol moorage.v1" };
      // An answer may have many megabytes and is not parsed: only its place in the message is looked for.
      const bytes = encoder.encode(message);
      const members = membersOf(bytes);
      return members ? toIncoming(bytes, members) : { type: "bad", reason: "a message that is not a JSON object" };
    },
    createLane: (id, wire) => createLane(id, wire, opened),
    // These agents have no drain message. They see the close and come back.
    drainMessage: () => undefined,
    handoverMessage: () => undefined,
    forget: (id) => opened.delete(id),
  };
}

function createLane(id: number, wire: Wire, opened: Map<number, Opened>): Lane {
  let head: RequestHead | undefined;
  const pieces: Uint8Array[] = [];
  const gather = (body: Uint8Array, end: boolean): void => {
    // The caller reuses the memory of a body's piece for the next one.
    if (body.length > 0) pieces.push(body.slice());
    if (!end || !head) return;
    const plan = planLegacyCall(head.method, Buffer.concat(pieces));
    if (plan.kind === "answer") return answerHere(id, wire, plan);
    const auth = bearerOf(head);
    opened.set(id, { wire, payload: plan.payload, id: plan.id, hasToken: auth !== undefined });
    wire.send(
      JSON.stringify({
        t: "open",
        sid: String(id),
        req_id: requestIdOf(head),
        hint: plan.method,
        auth,
      }),
    );
    // The agent sends nothing back that a client could use.
    if (!plan.isAnswered) answerHere(id, wire, { kind: "answer", status: 202, headers: [], body: "" });
  };
  return {
    hasRoom: () => wire.hasRoom(),
    request(requestHead, body, end) {
      head = requestHead;
      gather(body, end);
    },
    data: gather,
    credit: () => {},
    reset(_code, message) {
      if (opened.has(id)) wire.send(JSON.stringify({ t: "close", sid: String(id), msg: message }));
      // The agent confirms nothing, so its slot is free as soon as the cancel has been sent.
      return false;
    },
  };
}

/** Answers in the agent's place, one microtask later, when the session knows the exchange. */
function answerHere(
  id: number,
  wire: Wire,
  { status, headers, body }: Extract<LegacyPlan, { readonly kind: "answer" }>,
): void {
  queueMicrotask(() =>
    wire.receive({ type: "response", id, end: true, head: { status, headers }, body: encoder.encode(body) }),
  );
}

function refused(id: number, { id: rpcId, hasToken }: Opened, code: string, message: string): Incoming {
  const isKey = code === "MCP_UNAUTHORIZED";
  const error = {
    code: -32_000,
    message: (message || "The relay refused the call.").slice(0, 500),
    data: { mcp: code.slice(0, 64) || "MCP_UPSTREAM_ERROR" },
  };
  const body = `{"jsonrpc":"2.0",${rpcId === undefined ? "" : `"id":${rpcId},`}"error":${JSON.stringify(error)}}`;
  const headers: HeaderPairs = isKey
    ? [...JSON_HEADERS, ["www-authenticate", 'Bearer error="invalid_token"']]
    : [...JSON_HEADERS, ["retry-after", "5"]];
  const head: ResponseHead = {
    status: isKey ? 401 : 503,
    headers,
    ...(isKey && hasToken ? { refused: "token" } : {}),
  };
  return { type: "response", id, end: true, head, body: encoder.encode(body) };
}

/** Returns a member's text; empty if it is missing, too long or no string. */
function toText(message: Uint8Array, range: Range | undefined): string {
  if (!range || range.end - range.start > MAX_TEXT_BYTES) return "";
  const value = parseJson(decoder.decode(message.subarray(range.start, range.end)));
  return typeof value === "string" ? value : "";
}

function answered(id: number, call: Opened, bytes: Uint8Array, range: Range | undefined): Incoming {
  const members = range && membersOf(bytes, range.start);
  // A message with a method is the first event of a stream. The agent reads no further, so the result is lost.
  if (!range || !members || members.has("method")) {
    return { type: "reset", id, code: "upstream_error", message: "the agent's answer holds no result" };
  }
  const payload = bytes.subarray(range.start, range.end);
  const idRange = members.get("id");
  const isIdLost =
    idRange !== undefined && Buffer.from(bytes.subarray(idRange.start, idRange.end)).toString() === "null";
  const body =
    isIdLost && call.id !== undefined
      ? Buffer.concat([
          payload.subarray(0, idRange.start - range.start),
          Buffer.from(call.id),
          payload.subarray(idRange.end - range.start),
        ])
      : payload;
  return { type: "response", id, end: true, head: { status: 200, headers: JSON_HEADERS }, body };
}

function requestIdOf(head: RequestHead): string {
  return head.headers.find(([name]) => name === "x-request-id")?.[1] ?? "";
}

/** Returns the caller's bearer token, which the agent compares with its own. */
function bearerOf(head: RequestHead): string | undefined {
  return bearerIn(head.headers.find(([name]) => name === "authorization")?.[1]);
}
