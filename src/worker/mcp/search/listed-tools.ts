import type { Answer, Opening } from "../../../answering/opening.ts";
import { isRecord, parseJson } from "../../../json/parse.ts";
import type { RequestHead } from "../../../wire/heads.ts";
import { isEventStreamType } from "../../../wire/response-progress.ts";
import { MAX_MESSAGE_BYTES } from "../bridge/peer.ts";
import { RPC } from "../bridge/rpc-error.ts";
import type { Room } from "../ruled/room.ts";
import { readWhole } from "../ruled/whole-body.ts";
import type { Listed } from "./found-tools.ts";

/** The most pages of a list that are read, and the most tools. */
const MAX_PAGES = 100;
const MAX_TOOLS = 20_000;

/** A request for a list of tools, in the words of the caller who wants to search. */
export interface ListRequest {
  readonly head: RequestHead;
  /** The metadata of the caller's own request, which revisions without sessions need. */
  readonly meta: Readonly<Record<string, unknown>> | undefined;
  readonly signal: AbortSignal;
}

/** The list, or why there is none. */
export type ListedTools =
  /** `called` is what the last answer says about the call. */
  { readonly tools: readonly Listed[]; readonly called: Answer["called"] } | NoList;

export interface NoList {
  /** The status of the answer in place of a list. */
  readonly status: number;
  /** Its JSON-RPC error; undefined if it has none. */
  readonly error: Readonly<Record<string, unknown>> | undefined;
  readonly called: Answer["called"];
}

export interface ListingTools {
  readonly open: (head: RequestHead) => Opening;
  readonly newId: () => string;
  /** The memory for the bodies of lists. */
  readonly room: Room;
}

/** Reads all pages of the tools that a caller may use. */
export async function listTools(
  { open, newId, room }: ListingTools,
  { head, meta, signal }: ListRequest,
): Promise<ListedTools> {
  const tools: Listed[] = [];
  let cursor: string | undefined;
  let called: Answer["called"];
  for (let page = 0; page < MAX_PAGES && tools.length < MAX_TOOLS; page += 1) {
    const id = newId();
    const params = { ...(cursor === undefined ? {} : { cursor }), ...(meta === undefined ? {} : { _meta: meta }) };
    const opening = open(withMethod(head, "tools/list"));
    if (opening.kind !== "ask") throw new Error("the caller is not let in any more");
    const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, method: "tools/list", params }));
    const answer = await opening.ask(body, signal);
    called = answer.called;
    const message = await responseIn(answer, id, room);
    const { result, error } = isRecord(message) ? message : {};
    if (!isRecord(result) || !Array.isArray(result["tools"]))
      return { status: answer.status, error: isRecord(error) ? error : undefined, called };
    tools.push(...result["tools"].filter(isRecord));
    const next = result["nextCursor"];
    if (typeof next !== "string") break;
    cursor = next;
  }
  return { tools, called };
}

/** Returns a head for another method, which revisions without sessions repeat in headers. */
export function withMethod(
  head: RequestHead,
  method: string,
  named: Readonly<Record<string, string>> = {},
): RequestHead {
  const isStated = head.headers.some(([name]) => name.toLowerCase() === "mcp-method");
  const kept = head.headers.filter(([name]) => !/^(?:mcp-method|mcp-name|mcp-param-.*|content-length)$/i.test(name));
  const own: [string, string][] = isStated ? [["mcp-method", method], ...Object.entries(named)] : [];
  return { ...head, headers: [...kept, ...own] };
}

/** Reads an answer to its end, and returns the response in it, which may be the last of several events. */
async function responseIn({ headers, body }: Answer, id: string, room: Room): Promise<unknown> {
  const whole = await readWhole(body, { most: MAX_MESSAGE_BYTES, room });
  if (whole.kind !== "whole") return { error: whole.kind === "too_large" ? TOO_LARGE : NO_ROOM };
  try {
    const said = new TextDecoder().decode(whole.bytes);
    const isEvents = headers.some(([name, value]) => name.toLowerCase() === "content-type" && isEventStreamType(value));
    if (!isEvents) return parseJson(said);
    const events = said.split(/\r?\n/).flatMap((line) => (line.startsWith("data:") ? [parseJson(line.slice(5))] : []));
    return events.find((each) => isRecord(each) && each["id"] === id && !("method" in each));
  } finally {
    whole.release();
  }
}

const TOO_LARGE = { code: RPC.internal, message: "The list of tools is too large." };
const NO_ROOM = { code: RPC.server, message: "The relay holds too many messages. Try again later." };
