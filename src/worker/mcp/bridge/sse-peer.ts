import { SSEClientTransport, SseError } from "@modelcontextprotocol/client";
import { isJSONRPCRequest, type JSONRPCMessage } from "@modelcontextprotocol/server";
import type { CancelTimer, Clock, Log } from "../../../system/deps.ts";
import type { HeaderPairs } from "../../../wire/heads.ts";
import { redirectIn } from "../redirect.ts";
import { isTooDeep, tooDeepError } from "./depth.ts";
import { withLineLimit } from "./line-limit.ts";
import { MAX_MESSAGE_BYTES, type Peer, type PeerEvents } from "./peer.ts";
import { RPC, rpcError } from "./rpc-error.ts";

export interface SsePeerOptions extends PeerEvents {
  readonly url: string;
  /** Headers that every request to the server gets. */
  readonly headers: HeaderPairs;
  readonly proxy: string | false;
  readonly clock: Clock;
  readonly log: Log;
}

/** How long the event stream may take to open and to name where messages go: a server that is up does both at once. */
const CONNECT_MS = 30_000;
/** The most redirects in a row: one for a missing slash, and some for a gateway in between. */
const MAX_REDIRECTS = 3;
/** The most messages that the server has not confirmed yet. */
const MAX_UNTAKEN = 1000;

/** An MCP server that speaks HTTP+SSE, the transport of 2024-11-05: one event stream, and a POST per message to it. */
export class SsePeer implements Peer {
  readonly #options: SsePeerOptions;
  readonly #transport: SSEClientTransport;
  /** Resolves once messages can be sent, and later once the last notification was accepted. */
  #before: Promise<void>;
  #untaken = 0;
  #hasEnded = false;
  readonly #cancelTimer: CancelTimer;

  constructor(options: SsePeerOptions) {
    this.#options = options;
    const transport = new SSEClientTransport(new URL(options.url), {
      fetch: (url, init) => fetchEvents(url, init, options),
    });
    this.#transport = transport;
    transport.onmessage = (message) => {
      if (this.#hasEnded) return;
      const passed = isTooDeep(message) ? tooDeepError(message) : message;
      if (passed) options.onMessage(passed);
    };
    // The library would reconnect, to a server that no longer knows this session. Its other errors concern single messages,
    // and `send` reports those itself.
    transport.onerror = (error) => {
      if (error instanceof SseError) this.#end("its event stream has ended");
    };
    transport.onclose = () => this.#end("it has been closed");
    this.#cancelTimer = options.clock.after(CONNECT_MS, () => this.#end("it did not open an event stream in time"));
    this.#before = transport.start().then(
      () => this.#cancelTimer(),
      () => this.#end("it could not be reached"),
    );
  }

  get isFull(): boolean {
    return this.#untaken >= MAX_UNTAKEN;
  }

  send(message: JSONRPCMessage): boolean {
    if (this.#hasEnded || this.isFull) return false;
    this.#untaken += 1;
    const sent = this.#before.then(() => this.#post(message)).finally(() => (this.#untaken -= 1));
    // Nothing may overtake a notification. Some servers accept a request only together with its answer, so it is not
    // awaited.
    if ("method" in message && !isJSONRPCRequest(message)) this.#before = sent;
    return true;
  }

  async close(): Promise<void> {
    this.#end("it has been closed");
  }

  async #post(message: JSONRPCMessage): Promise<void> {
    if (this.#hasEnded) return;
    try {
      await this.#transport.send(message);
    } catch {
      this.#options.log.debug("upstream.refused");
      if (this.#hasEnded || !isJSONRPCRequest(message)) return;
      this.#options.onMessage(rpcError(RPC.internal, "The MCP server did not accept the message.", message.id));
    }
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#cancelTimer();
    void this.#transport.close();
    this.#options.log.info("upstream.ended", { reason });
    // MUST NOT happen before `openPeer` has returned.
    queueMicrotask(() => this.#options.onExit(reason));
  }
}

/**
 * Fetches without Bun's timeout of five silent minutes, and with a limit on the length of an event. Follows redirects on the
 * same host only, because the request may carry the owner's key for the server.
 */
async function fetchEvents(
  url: string | URL,
  init: RequestInit | undefined,
  { headers: extra, proxy, log }: SsePeerOptions,
): Promise<Response> {
  const headers = new Headers(init?.headers);
  for (const [name, value] of extra) headers.set(name, value);
  let target = String(url);
  for (let redirects = 0; ; redirects += 1) {
    const response = await fetch(target, { ...init, headers, redirect: "manual", proxy, timeout: false });
    const redirect = redirectIn(response, target, undefined);
    if (redirect?.kind === "elsewhere") log.warn("upstream.redirects", { status: redirect.status, to: redirect.place });
    if (redirect?.kind === "moved" && redirects < MAX_REDIRECTS) {
      await response.body?.cancel();
      target = redirect.url;
      continue;
    }
    if (!response.body || init?.method === "POST") return response;
    const body = withLineLimit(response.body, MAX_MESSAGE_BYTES);
    return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
  }
}
