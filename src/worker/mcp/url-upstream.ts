import type { Backend, Opening } from "../../answering/opening.ts";
import type { Deps } from "../../system/deps.ts";
import type { HeaderPairs, RequestHead } from "../../wire/heads.ts";
import { discardAnswer } from "../backend.ts";
import type { SessionLimits } from "./bridge/sessions.ts";
import { createSseBridge } from "./bridge/sse-bridge.ts";
import { Endpoint } from "./endpoint.ts";
import type { UpstreamHealth } from "./health.ts";
import { createHttpUpstream } from "./http-upstream.ts";
import type { McpTransport } from "./mcp-server.ts";
import { speaksSse } from "./speaks-sse.ts";

/** An MCP server behind a URL, whose connections are closed in the end. */
export interface Upstream extends Backend {
  close(): Promise<void>;
}

export interface UrlUpstreamOptions {
  readonly url: string;
  /** Headers that every request to the server gets. */
  readonly headers: HeaderPairs;
  readonly transport: McpTransport;
  readonly isOauth: boolean;
  /** The proxy on the way to it; false for none. */
  readonly proxy: string | false;
  /** For a server that speaks HTTP with SSE. */
  readonly limits: SessionLimits;
  readonly health: UpstreamHealth;
  readonly deps: Deps;
}

/**
 * Serves the MCP server at a URL. With the transport `auto` it uses Streamable HTTP until a POST is answered as by a server
 * that does not know it; then it finds out whether the server speaks HTTP with SSE, as the specification tells clients to.
 */
export function createUrlUpstream({
  url,
  headers,
  transport,
  isOauth,
  proxy,
  limits,
  health,
  deps,
}: UrlUpstreamOptions): Upstream {
  const endpoint = new Endpoint({ url, headers, proxy, log: deps.log });
  const http = createHttpUpstream(endpoint, { oauth: isOauth, health });
  if (transport === "http") return { open: (head) => http.open(head), close: async () => {} };
  const bridge = createSseBridge({ url, headers, proxy, limits, health, deps });
  if (transport === "sse") return bridge;
  return new GuessedUpstream(endpoint, http, bridge);
}

/** Statuses with which a server that does not know Streamable HTTP answers a POST to its stream's URL. */
const UNKNOWN_STATUSES: ReadonlySet<number> = new Set([400, 404, 405]);

class GuessedUpstream implements Upstream {
  readonly #endpoint: Endpoint;
  readonly #http: Backend;
  readonly #bridge: Upstream;
  #guess: "http" | "sse" | undefined;
  /** The running probe, shared by all requests that wait for it, even if some are cancelled. */
  #probe: Promise<boolean | undefined> | undefined;

  constructor(endpoint: Endpoint, http: Backend, bridge: Upstream) {
    this.#endpoint = endpoint;
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
    this.#probe ??= speaksSse(this.#endpoint).finally(() => {
      this.#probe = undefined;
    });
    return this.#probe;
  }

  close(): Promise<void> {
    return this.#bridge.close();
  }
}
