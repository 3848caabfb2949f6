import type { Answer, Backend, Opening } from "../../../answering/opening.ts";
import { isRecord, parseJson } from "../../../json/parse.ts";
import type { Ids } from "../../../system/deps.ts";
import type { RequestHead } from "../../../wire/heads.ts";
import { ParamHeaders } from "../bridge/param-headers.ts";
import { MAX_MESSAGE_BYTES } from "../bridge/peer.ts";
import { RPC } from "../bridge/rpc-error.ts";
import { encodeHeader } from "../bridge/standard-headers.ts";
import { isListening } from "../listening.ts";
import { ownAnswer } from "../ruled/answers.ts";
import { Room } from "../ruled/room.ts";
import { readWhole } from "../ruled/whole-body.ts";
import { findTools } from "./found-tools.ts";
import { type ListRequest, listTools, type NoList, withMethod } from "./listed-tools.ts";
import { CALL_TOOL, FIND_TOOLS, MOST_FOUND, overview, searchTools, USUALLY_FOUND } from "./search-tools.ts";

export interface ToolSearchOptions {
  /** The most tools that are listed as they are. With more of them, clients get the tools for searching instead. */
  readonly mostListed: number;
  readonly ids: Pick<Ids, "secret">;
}

/** The list from which on `auto` searches. */
export const AUTO_LISTED = 100;
/** The most bytes of bodies that are held while their first message is looked at. */
const ROOM_BYTES = 256 * 1024 * 1024;
/** The most characters of what a search returns. */
const MAX_FOUND_CHARS = 200_000;
const INVALID_PARAMS = -32_602;
/** The metadata of a request that belong to it alone. */
const OF_ONE_REQUEST: ReadonlySet<string> = new Set(["progressToken"]);

interface Message {
  readonly id: string | number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

/**
 * Gives clients a tool that finds tools, and one that calls them, instead of a long list. It stands in front of all rules
 * about callers, which therefore see each list, and each call under the name of the tool that is meant.
 */
export function withToolSearch(backend: Backend, options: ToolSearchOptions): Backend {
  const search = new ToolSearch(backend, options);
  return { open: (head) => search.open(head) };
}

class ToolSearch {
  readonly #backend: Backend;
  readonly #options: ToolSearchOptions;
  readonly #room = new Room(ROOM_BYTES);
  readonly #paramHeaders = new ParamHeaders();

  constructor(backend: Backend, options: ToolSearchOptions) {
    this.#backend = backend;
    this.#options = options;
  }

  open(head: RequestHead): Opening {
    const opening = this.#backend.open(head);
    const method = head.headers.find(([name]) => name.toLowerCase() === "mcp-method")?.[1] ?? "tools/call";
    const isOther = method !== "tools/call" && method !== "tools/list";
    if (head.method !== "POST" || isOther || isListening(head) || opening.kind !== "ask") return opening;
    return {
      ...opening,
      ask: async (body, signal) => {
        const whole = await readWhole(body, { most: MAX_MESSAGE_BYTES, room: this.#room });
        if (whole.kind === "too_large") return refusal(413, "The message is too large.");
        if (whole.kind === "no_room") return refusal(503, "The relay holds too many messages. Try again later.");
        try {
          const message = toMessage(parseJson(new TextDecoder().decode(whole.bytes)));
          const own = message && this.#answer(message, head, signal);
          return await (own ?? opening.ask(whole.bytes, signal));
        } finally {
          whole.release();
        }
      },
    };
  }

  /** Answers what concerns the search. Undefined for any other message, which passes as it is. */
  #answer(message: Message, head: RequestHead, signal: AbortSignal): Promise<Answer> | undefined {
    const { method, params } = message;
    if (method === "tools/list" && params["cursor"] === undefined) return this.#list(message, head, signal);
    if (method !== "tools/call") return undefined;
    if (params["name"] === FIND_TOOLS) return this.#find(message, head, signal);
    if (params["name"] === CALL_TOOL) return this.#call(message, head, signal);
    return undefined;
  }

  async #list(message: Message, head: RequestHead, signal: AbortSignal): Promise<Answer> {
    const listed = await this.#listed(message, head, signal);
    if (!("tools" in listed)) return noList(message, listed);
    const { tools } = listed;
    const names = tools.map(({ name }) => String(name));
    return this.#result(message, { tools: tools.length > this.#options.mostListed ? searchTools(names) : tools }, true);
  }

  async #find(message: Message, head: RequestHead, signal: AbortSignal): Promise<Answer> {
    const given = isRecord(message.params["arguments"]) ? message.params["arguments"] : {};
    const { query, limit } = given;
    if (typeof query !== "string") return invalid(message, `${FIND_TOOLS} takes a query`);
    const listed = await this.#listed(message, head, signal);
    if (!("tools" in listed)) return noList(message, listed);
    const most = typeof limit === "number" && limit >= 1 ? Math.min(Math.floor(limit), MOST_FOUND) : USUALLY_FOUND;
    const found = findTools(listed.tools, query, most).map(
      ({ name, title, description, inputSchema, annotations }) => ({
        name,
        title,
        description,
        inputSchema,
        annotations,
      }),
    );
    const told =
      found.length === 0 ? `No tool fits. ${overview(listed.tools.map(({ name }) => String(name)))}` : fitted(found);
    const answer = this.#result(message, { content: [{ type: "text", text: told }] }, false);
    return { ...answer, called: { ...listed.called, name: FIND_TOOLS } };
  }

  async #call(message: Message, head: RequestHead, signal: AbortSignal): Promise<Answer> {
    const { name: _, arguments: given, ...others } = message.params;
    const name = isRecord(given) ? given["name"] : undefined;
    if (!isRecord(given) || typeof name !== "string") return invalid(message, `${CALL_TOOL} takes the name of a tool`);
    const params = { ...others, name, arguments: given["arguments"] ?? {} };
    const request = { jsonrpc: "2.0", id: message.id, method: "tools/call", params } as const;
    const repeated = { "mcp-name": encodeHeader(name), ...this.#paramHeaders.headersOf(request) };
    const opening = this.#backend.open(withMethod(head, "tools/call", repeated));
    if (opening.kind !== "ask") throw new Error("the caller is not let in any more");
    const answer = await opening.ask(new TextEncoder().encode(JSON.stringify(request)), signal);
    // Records of the call are about the tool that was meant.
    return { ...answer, called: answer.called?.name === undefined ? { ...answer.called, name } : answer.called };
  }

  async #listed(message: Message, head: RequestHead, signal: AbortSignal) {
    const given = message.params["_meta"];
    const kept = isRecord(given) ? Object.entries(given).filter(([name]) => !OF_ONE_REQUEST.has(name)) : [];
    const meta = kept.length === 0 ? undefined : Object.fromEntries(kept);
    const request: ListRequest = { head, meta, signal };
    const listed = await listTools(
      {
        open: (each) => this.#backend.open(each),
        newId: () => `list-${this.#options.ids.secret()}`,
        room: this.#room,
      },
      request,
    );
    if ("tools" in listed) this.#paramHeaders.learn(listed);
    return listed;
  }

  /** Makes an answer with a result, in the words of the caller's revision. */
  #result({ id, params }: Message, result: object, isList: boolean): Answer {
    const isStateless = isRecord(params["_meta"]) && "io.modelcontextprotocol/protocolVersion" in params["_meta"];
    const caching = isList ? { ttlMs: 0, cacheScope: "private" } : {};
    const whole = { ...result, ...(isStateless ? { resultType: "complete", ...caching } : {}) };
    const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, result: whole }));
    return {
      status: 200,
      headers: [
        ["content-type", "application/json"],
        ["content-length", String(body.length)],
      ],
      body,
    };
  }
}

function toMessage(value: unknown): Message | undefined {
  if (!isRecord(value)) return undefined;
  const { id, method, params } = value;
  if ((typeof id !== "string" && typeof id !== "number") || typeof method !== "string") return undefined;
  return { id, method, params: isRecord(params) ? params : {} };
}

/** Writes tools as JSON, as many as fit. */
function fitted(found: readonly object[]): string {
  for (let count = found.length; count > 0; count -= 1) {
    const text = JSON.stringify({ tools: found.slice(0, count) });
    if (text.length <= MAX_FOUND_CHARS) return text;
  }
  return "The description of the tool that fits is too long.";
}

/** Answers a caller as its list was answered. */
function noList({ id }: Message, { status, error, called }: NoList): Answer {
  const given = error ?? { code: RPC.internal, message: "The MCP server did not list its tools." };
  const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id, error: given }));
  return {
    status,
    headers: [
      ["content-type", "application/json"],
      ["content-length", String(body.length)],
    ],
    body,
    ...(called ? { called } : {}),
  };
}

function invalid({ id }: Message, message: string): Answer {
  return ownAnswer({ status: 200, code: INVALID_PARAMS, message, id });
}

function refusal(status: number, message: string): Answer {
  return ownAnswer({ status, code: RPC.server, message });
}
