import type { JSONRPCRequest } from "@modelcontextprotocol/server";
import type { Answer, Backend } from "../../../answering/opening.ts";
import type { HeaderPairs } from "../../../wire/heads.ts";
import type { PlainAnswer } from "../bridge/direct/plain-answer.ts";
import { bytesOf, type PlainCall } from "../bridge/direct/plain-call.ts";
import { fetchFrom, toResponse } from "./backend-fetch.ts";
import { readPlain } from "./plain-reading.ts";

/** The session of a call at its server, as far as there is one. */
export interface DirectSession {
  readonly id: string | undefined;
  readonly version: string | undefined;
}

export interface DirectPostsOptions {
  readonly backend: Backend;
  /** Takes a result that nothing precedes. */
  readonly onPlain: (answer: PlainAnswer) => void;
  /**
   * Takes a call with any other answer: it MUST send the same message with these headers through `fetch`, which gives it the
   * answer that is there already.
   */
  readonly send: (message: JSONRPCRequest, abort: AbortController, headers: Sent) => Promise<void>;
}

/** The header by which `fetch` knows a request that has been sent. It goes no further. */
const SENT = "x-moorage-sent";
export type Sent = Readonly<Partial<Record<typeof SENT, string>>>;

/** Posts calls to one MCP server in their own bytes. The SDK's transport takes longer over a small call than everything else. */
export class DirectPosts {
  readonly #options: DirectPostsOptions;
  /** Answers that wait for the transport, by the header of their request. */
  readonly #answers = new Map<string, { readonly answer: Answer; readonly abort: AbortController }>();
  readonly #running = new Set<AbortController>();
  #count = 0;
  /** Sends requests of the transport. */
  readonly fetch: ReturnType<typeof fetchFrom>;

  constructor(options: DirectPostsOptions) {
    this.#options = options;
    const ask = fetchFrom(options.backend);
    this.fetch = async (url, init) => {
      const key = this.#answers.size === 0 ? null : new Headers(init?.headers).get(SENT);
      const waiting = key === null ? undefined : this.#answers.get(key);
      if (key === null || !waiting) return ask(url, init);
      this.#answers.delete(key);
      // From now on the transport reads the answer, and breaks it off when it is closed.
      if (init?.signal?.aborted) waiting.abort.abort();
      else init?.signal?.addEventListener("abort", () => waiting.abort.abort(), { once: true });
      return toResponse(waiting.answer);
    };
  }

  /** Sends a call. Resolves when its result has been taken, or `send` has; rejects as `send` does, and if there is no answer. */
  async post(call: PlainCall, abort: AbortController, session: DirectSession): Promise<void> {
    const { message } = call;
    const { backend, onPlain, send } = this.#options;
    const opening = backend.open({ method: "POST", path: "/", headers: headersOf(session) });
    if (opening.kind !== "ask") return send(message, abort, {});
    this.#running.add(abort);
    let rest: Promise<Answer | undefined> | undefined;
    try {
      const reading = await readPlain(await opening.ask(bytesOf(call), abort.signal), message.id);
      if (reading.kind === "other") return await this.#pass(message, abort, reading.answer);
      rest = reading.rest;
      if (!abort.signal.aborted) onPlain(reading.answer);
    } finally {
      if (rest === undefined) this.#running.delete(abort);
      else void this.#finish(message, abort, rest);
    }
  }

  /** Breaks off all calls. */
  close(): void {
    for (const abort of this.#running) abort.abort();
  }

  /** Lets the transport read what an answer has beside its result. */
  async #finish(message: JSONRPCRequest, abort: AbortController, rest: Promise<Answer | undefined>): Promise<void> {
    const answer = await rest;
    this.#running.delete(abort);
    // The call has its result, so a failure concerns nobody.
    if (answer && !abort.signal.aborted) await this.#pass(message, abort, answer).catch(() => {});
  }

  async #pass(message: JSONRPCRequest, abort: AbortController, answer: Answer): Promise<void> {
    this.#count += 1;
    const key = String(this.#count);
    this.#answers.set(key, { answer, abort });
    try {
      await this.#options.send(message, abort, { [SENT]: key });
    } finally {
      // Nobody will read an answer that the transport has not taken.
      if (this.#answers.delete(key)) abort.abort();
    }
  }
}

/** Returns the headers that the SDK's transport gives to the same call. */
function headersOf({ id, version }: DirectSession): HeaderPairs {
  const pairs: [string, string][] = [
    ["accept", "application/json, text/event-stream"],
    ["content-type", "application/json"],
  ];
  if (version !== undefined) pairs.push(["mcp-protocol-version", version]);
  if (id !== undefined) pairs.push(["mcp-session-id", id]);
  return pairs;
}
