import type { Answer, Backend, Opening } from "../../../answering/opening.ts";
import type { RequestHead } from "../../../wire/heads.ts";
import { MAX_ARGUMENT_CHARS, type McpCalled } from "../../../wire/mcp-call.ts";
import { LISTEN_METHOD } from "../../../wire/mcp-headers.ts";
import { MAX_TEXT_CHARS } from "../../../wire/names.ts";
import { MAX_MESSAGE_BYTES } from "../bridge/peer.ts";
import { RPC } from "../bridge/rpc-error.ts";
import { ownAnswer } from "./answers.ts";
import type { CallGate } from "./call-gate.ts";
import { bodyToEnd } from "./ended-body.ts";
import { headerConflict } from "./header-match.ts";
import { type Denial, judge, subjectOf, unknownTool } from "./judge.ts";
import { type ClientMessage, idIn, readMessage } from "./message.ts";
import { restrictAnswer } from "./restrict-answer.ts";
import type { Room } from "./room.ts";
import type { Terms, ToolFacts } from "./terms.ts";
import { readWhole, type WholeBody } from "./whole-body.ts";

export interface RuledCallOptions {
  readonly backend: Backend;
  readonly terms: Terms;
  readonly room: Room;
  readonly facts: ToolFacts | undefined;
  readonly auditArguments: boolean;
}

type Body = Uint8Array | ReadableStream<Uint8Array> | undefined;

/** The methods whose params have arguments. */
const HAVE_ARGUMENTS: ReadonlySet<string> = new Set(["tools/call", "prompts/get"]);

/** One request whose body is read before the MCP server gets it, and whose answer is restricted. */
export class RuledCall {
  readonly #options: RuledCallOptions;

  constructor(options: RuledCallOptions) {
    this.#options = options;
  }

  open(head: RequestHead): Opening {
    const { backend } = this.#options;
    if (head.method !== "POST") {
      const opening = backend.open(head);
      if (opening.kind !== "ask") return opening;
      // No method but POST has a body that means anything, so none is passed on.
      return { ...opening, ask: async (_body, signal) => this.#restrict(await opening.ask(undefined, signal)) };
    }
    if (!isJson(head)) {
      const error = { code: RPC.server, message: "The content type must be application/json." };
      return { kind: "answer", status: 415, body: { jsonrpc: "2.0", error } };
    }
    const opening = backend.open(asPlainJson(head));
    if (opening.kind !== "ask") return opening;
    return { ...opening, ask: (body, signal) => this.#ask(head, opening, body, signal) };
  }

  async #ask(
    head: RequestHead,
    opening: Extract<Opening, { readonly kind: "ask" }>,
    body: Body,
    signal: AbortSignal,
  ): Promise<Answer> {
    const whole = await readWhole(body, { most: MAX_MESSAGE_BYTES, room: this.#options.room });
    if (whole.kind !== "whole") return tooMuch(whole);
    try {
      const { message, fault } = readMessage(whole.bytes);
      if (fault) return ownAnswer({ status: 400, code: fault.code, message: fault.text, id: idIn(whole.bytes) });
      const called = this.#calledBy(message);
      const conflict = headerConflict(head.headers, message);
      if (conflict !== undefined) {
        const text = `The headers and the body disagree: ${conflict}.`;
        return ownAnswer({ status: 400, code: RPC.headerMismatch, message: text, id: message.id, called });
      }
      const leave = this.#enter(message, called);
      if (typeof leave === "object") return leave;
      try {
        const denial = await this.#denialOf(message);
        if (denial) {
          leave();
          return refuse(message, denial, { ...called, denied: true });
        }
        const answer = await this.#restrict(await opening.ask(whole.bytes, signal));
        return { ...answer, called, body: bodyToEnd(answer.body, signal, leave) };
      } catch (error) {
        leave();
        throw error;
      }
    } finally {
      whole.release();
    }
  }

  /** Counts a call. Returns what ends it, or the answer to a caller who has called too much. */
  #enter({ id, method }: ClientMessage, called: McpCalled): (() => void) | Answer {
    const { gate } = this.#options.terms;
    // Notifications and a client's responses belong to calls that have been counted. Some servers serve calls without an id.
    const isCounted = method !== undefined && !method.startsWith("notifications/");
    const entered = isCounted && gate ? enter(gate, method) : undefined;
    if (entered === undefined) return () => {};
    if (typeof entered === "function") return entered;
    const { limit, retryAfterS } = entered;
    const what = limit === "parallel" ? "so many calls at once" : "so many requests per minute";
    return ownAnswer({
      status: 429,
      code: RPC.server,
      message: `The relay lets this caller make only ${what}. Try again later.`,
      id,
      data: { code: "rate_limit_exceeded", mcp: "MCP_LIMIT_EXCEEDED", limit },
      headers: [["retry-after", String(retryAfterS)]],
      called,
    });
  }

  async #denialOf(message: ClientMessage): Promise<Denial | undefined> {
    const { terms, facts } = this.#options;
    if (terms.rules === undefined) return undefined;
    const verdict = judge(message, terms.rules);
    if (verdict.kind === "allowed") return undefined;
    if (verdict.kind === "denied") return verdict.denial;
    const { tool } = verdict;
    try {
      if (facts === undefined) throw new Error("The relay cannot see which tools the MCP server marks as read-only.");
      const listed = (await facts.read()).tools.filter(({ name }) => name === tool);
      // Of two tools with one name, nobody knows which of them would be called.
      const may = listed.length > 0 && listed.every((each) => terms.rules?.tool(each));
      return may ? undefined : unknownTool(tool);
    } catch (error) {
      const why = error instanceof Error ? error.message : "";
      return {
        code: RPC.internal,
        message: `The relay could not find out whether the tool is read-only. ${why}`.trim(),
      };
    }
  }

  #calledBy(message: ClientMessage): McpCalled {
    const { terms, auditArguments } = this.#options;
    const name = subjectOf(message)?.slice(0, MAX_TEXT_CHARS);
    const isAudited = auditArguments && HAVE_ARGUMENTS.has(message.method ?? "");
    const given = isAudited ? message.argumentsText()?.slice(0, MAX_ARGUMENT_CHARS) : undefined;
    return { ...terms.called, ...(name ? { name } : {}), ...(given ? { arguments: given } : {}) };
  }

  #restrict(answer: Answer): Promise<Answer> | Answer {
    const { terms, room, facts } = this.#options;
    if (terms.rules === undefined) return answer;
    return restrictAnswer(answer, { rules: terms.rules, room, onListChanged: () => facts?.changed() });
  }
}

function enter(gate: CallGate, method: string): ReturnType<CallGate["enter"]> {
  const entered = gate.enter();
  // A stream that only listens is a request, but no call that runs.
  if (typeof entered === "function" && method === LISTEN_METHOD) entered();
  return entered;
}

/** A notification has no answer but that it was taken. */
function refuse({ id, method }: ClientMessage, { code, message, data }: Denial, called: McpCalled): Answer {
  if (id === undefined && method !== undefined) return { status: 202, headers: [], body: null, called };
  return ownAnswer({ status: 200, code, message, id, data, called });
}

function tooMuch({ kind, begun }: Exclude<WholeBody, { readonly kind: "whole" }>): Answer {
  const id = idIn(begun);
  if (kind === "too_large") {
    return ownAnswer({ status: 413, code: RPC.server, message: "The message is too large.", id });
  }
  const message = "The relay holds too many large requests at this time. Try again later.";
  return ownAnswer({ status: 503, code: RPC.server, message, id, headers: [["retry-after", "1"]] });
}

function isJson({ headers }: RequestHead): boolean {
  const types = headers.filter(([name]) => name.toLowerCase() === "content-type");
  return types.length === 1 && /^application\/json\s*(?:;|$)/i.test(types[0]?.[1].trim() ?? "");
}

/** The request without parameters of its type: a server might read another encoding than the one that was judged. */
function asPlainJson(head: RequestHead): RequestHead {
  const headers = head.headers.map(([name, value]) =>
    name.toLowerCase() === "content-type" ? ([name, "application/json"] as const) : ([name, value] as const),
  );
  return { ...head, headers };
}
