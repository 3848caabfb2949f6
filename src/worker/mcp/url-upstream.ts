import type { Backend, Opening } from "../../answering/opening.ts";
import type { Deps } from "../../system/deps.ts";
import type { RequestHead } from "../../wire/frame.ts";
import { discardAnswer } from "../backend.ts";
import { createSseBridge } from "./bridge/sse-bridge.ts";
import { createHttpUpstream } from "./http-upstream.ts";
import type { McpTransport } from "./mcp-server.ts";
import { speaksSse } from "./speaks-sse.ts";

/** An MCP server behind a URL, and what it takes to leave it. */
export interface Upstream extends Backend {
  close(): Promise<void>;
}

export interface UrlUpstreamOptions {
  readonly url: string;
  readonly transport: McpTransport;
  readonly isOauth: boolean;
  readonly deps: Deps;
}

/**
 * With `auto` requests go by Streamable HTTP, until the server answers a POST as one that does not know it: then it is
 * asked whether it speaks HTTP with SSE, by the rule that the specification gives to clients.
 */
export function createUrlUpstream({ url, transport, isOauth, deps }: UrlUpstreamOptions): Upstream {
  const http = createHttpUpstream(url, { oauth: isOauth });
  if (transport === "http") return { open: (head) => http.open(head), close: async () => {} };
  const bridge = createSseBridge({ url, deps });
  if (transport === "sse") return bridge;
  return new GuessedUpstream(url, http, bridge);
}

/** What a server that has never heard of Streamable HTTP answers to a POST at its stream's URL. */
const UNKNOWN_STATUSES: ReadonlySet<number> = new Set([400, 404, 405]);

class GuessedUpstream implements Upstream {
  readonly #url: string;
  readonly #http: Backend;
  readonly #bridge: Upstream;
  #guess: "http" | "sse" | undefined;
  /** The look that is under way: one for all who wait for it, whoever of them leaves. */
  #look: Promise<boolean | undefined> | undefined;

  constructor(url: string, http: Backend, bridge: Upstream) {
    this.#url = url;
    this.#http = http;
    this.#bridge = bridge;
  }

  open(head: RequestHead): Opening {
    if (this.#guess === "sse") return this.#bridge.open(head);
    const opening = this.#http.open(head);
    if (this.#guess === "http" || head.method !== "POST" || opening.kind !== "ask") return opening;
    return {
      ...opening,
      ask: async (body, signal) => {
        const answer = await opening.ask(body, signal);
        if (answer.status >= 200 && answer.status < 300) this.#guess = "http";
        // A body that streamed is spent, so the next request will decide.
        if (!UNKNOWN_STATUSES.has(answer.status) || body instanceof ReadableStream) return answer;
        const isSse = await this.#speaksSse();
        // A server that gave no answer is asked again with the next request.
        if (isSse !== undefined) this.#guess = isSse ? "sse" : "http";
        if (!isSse) return answer;
        await discardAnswer(answer);
        const again = this.#bridge.open(head);
        return again.kind === "ask" ? again.ask(body, signal) : answer;
      },
    };
  }

  #speaksSse(): Promise<boolean | undefined> {
    this.#look ??= speaksSse(this.#url).finally(() => {
      this.#look = undefined;
    });
    return this.#look;
  }

  close(): Promise<void> {
    return this.#bridge.close();
  }
}
