import { SSEClientTransport, SseError } from "@modelcontextprotocol/client";
import { isJSONRPCRequest, type JSONRPCMessage } from "@modelcontextprotocol/server";
import type { CancelTimer, Clock, Log } from "../../../system/deps.ts";
import { isTooDeep } from "./depth.ts";
import { withLineLimit } from "./line-limit.ts";
import { MAX_MESSAGE_BYTES, type Peer, type PeerEvents } from "./peer.ts";
import { RPC, rpcError } from "./rpc-error.ts";

export interface SsePeerOptions extends PeerEvents {
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** For the event stream to open and to name where messages go: a server that is up does both at once. */
const CONNECT_MS = 30_000;
/** Messages that the server has not yet said to have taken. */
const MAX_UNTAKEN = 1000;

/** An MCP server that speaks HTTP+SSE, the transport of 2024-11-05: one event stream, and a POST for each message to it. */
export class SsePeer implements Peer {
  readonly #options: SsePeerOptions;
  readonly #transport: SSEClientTransport;
  /** Resolves once messages can be sent, and later once the last notification was taken. */
  #before: Promise<void>;
  #untaken = 0;
  #hasEnded = false;
  readonly #cancelTimer: CancelTimer;

  constructor(options: SsePeerOptions) {
    this.#options = options;
    const transport = new SSEClientTransport(new URL(options.url), { fetch: fetchEvents });
    this.#transport = transport;
    transport.onmessage = (message) => {
      if (this.#hasEnded) return;
      if (isTooDeep(message)) this.#end("a message of its is nested too deeply");
      else options.onMessage(message);
    };
    // The library would connect anew, to a server that then knows nothing of this session. Its other errors are about
    // single messages, of which `send` learns by itself.
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
    // What follows a notification must not overtake it. A request may be taken only with its answer, by some.
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
      this.#options.onMessage(rpcError(RPC.internal, "The MCP server did not take the message.", message.id));
    }
  }

  #end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#cancelTimer();
    void this.#transport.close();
    this.#options.log.info("upstream.ended", { reason });
    // Never before `openPeer` has returned.
    queueMicrotask(() => this.#options.onExit(reason));
  }
}

/** Bun would give up on a stream that says nothing for five minutes, and would gather an event that never ends. */
async function fetchEvents(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, timeout: false });
  if (!response.body || init?.method === "POST") return response;
  const body = withLineLimit(response.body, MAX_MESSAGE_BYTES);
  return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
}
