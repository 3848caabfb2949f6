import type { ServerWebSocket } from "bun";
import {
  decodeFrame,
  encodeCredit,
  encodeRequest,
  encodeRequestData,
  encodeReset,
  type Frame,
  type ResetCode,
} from "../../src/wire/frame.ts";
import type { RequestHead } from "../../src/wire/heads.ts";
import { Inbox } from "./inbox.ts";

const encoder = new TextEncoder();
type Text = Record<string, unknown>;
type Body = string | Uint8Array;
/** The first frame of an answer. */
export type ResponseFrame = Extract<Frame, { type: "response" }>;

export interface ScriptedServerOptions {
  /** The fields of `registered` that matter to the test; false leaves registrations unanswered. */
  readonly registered?: object | false;
  /** The subprotocol to choose; the native one unless given. */
  readonly protocol?: string;
  /** The port; any free one unless given. */
  readonly port?: number;
}

/** The server's end of the tunnel for tests of the worker. It checks nothing, and a test decides what it sends. */
export class ScriptedServer {
  readonly #server: Bun.Server<LinkData>;
  readonly links = new Inbox<ServerLink>();

  constructor(options: ScriptedServerOptions = {}) {
    this.#server = Bun.serve<LinkData>({
      hostname: "127.0.0.1",
      port: options.port ?? 0,
      fetch: (request, server) => {
        const data = { link: new ServerLink(request, options) };
        const headers = { "sec-websocket-protocol": options.protocol ?? "moorage.v1" };
        return server.upgrade(request, { data, headers }) ? undefined : new Response("upgrade only", { status: 426 });
      },
      websocket: {
        idleTimeout: 0,
        sendPings: false,
        open: (ws) => {
          ws.data.link.socket = ws;
          this.links.put(ws.data.link);
        },
        message: (ws, message) => ws.data.link.take(message),
        ping: (ws) => ws.data.link.pings.put(true),
        close: (ws, code, reason) => ws.data.link.handleClosed(code, reason),
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Returns the next worker that has connected and sent its first message. */
  async worker(): Promise<ServerLink> {
    const link = await this.links.take("a worker");
    await link.register();
    return link;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }
}

interface LinkData {
  readonly link: ServerLink;
}

/** The server's end of one worker's link. */
export class ServerLink {
  readonly request: Request;
  readonly frames = new Inbox<Frame>();
  /** The text messages after the registration. */
  readonly texts = new Inbox<Text>();
  readonly pings = new Inbox<true>();
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  socket: ServerWebSocket<LinkData> | undefined;
  handleClosed: (code: number, reason: string) => void;
  readonly #options: ScriptedServerOptions;
  readonly #register = Promise.withResolvers<Text>();
  #isRegistered = false;
  #nextId = 1;

  constructor(request: Request, options: ScriptedServerOptions) {
    this.request = request;
    this.#options = options;
    const closed = Promise.withResolvers<{ code: number; reason: string }>();
    this.closed = closed.promise;
    this.handleClosed = (code, reason) => closed.resolve({ code, reason });
  }

  /** Returns the worker's first message. */
  register(): Promise<Text> {
    return this.#register.promise;
  }

  take(message: string | Buffer): void {
    if (typeof message !== "string") return this.frames.put(decodeOrThrow(message));
    const text: Text = JSON.parse(message);
    if (this.#isRegistered) return this.texts.put(text);
    this.#isRegistered = true;
    this.#register.resolve(text);
    if (this.#options.registered === false) return;
    this.sendText({
      type: "registered",
      worker_id: text["worker_id"] ?? "made-by-server",
      session_id: "s-1",
      window: 256 * 1024,
      max_frame: 1024 * 1024,
      ping_interval_ms: 15_000,
      ...this.#options.registered,
    });
  }

  sendText(message: object): void {
    this.socket?.send(JSON.stringify(message));
  }

  send(frame: Uint8Array): void {
    this.socket?.send(frame);
  }

  /** Opens an exchange and returns its id. */
  open(head: Partial<RequestHead> & { readonly path: string }, body: Body = "", end = true): number {
    const id = this.#nextId;
    this.#nextId += 1;
    const whole: RequestHead = { method: "POST", headers: [["content-type", "application/json"]], ...head };
    this.send(encodeRequest(id, whole, toBytes(body), end));
    return id;
  }

  data(id: number, body: Body, end = false): void {
    this.send(encodeRequestData(id, toBytes(body), end));
  }

  credit(id: number, bytes: number): void {
    this.send(encodeCredit(id, bytes));
  }

  reset(id: number, code: ResetCode = "canceled"): void {
    this.send(encodeReset(id, code, "reset by the test"));
  }

  /** Returns the next frame. */
  frame(): Promise<Frame> {
    return this.frames.take("a frame");
  }

  /** Returns the next frame of this exchange, and drops frames of others. */
  frameOf(id: number): Promise<Frame> {
    return this.frames.takeUntil((frame) => frame.id === id, `a frame of exchange ${id}`);
  }

  /** Returns the next frame, which MUST be the first of an answer. */
  async response(): Promise<ResponseFrame> {
    const frame = await this.frame();
    if (frame.type !== "response") throw new Error(`expected a response, got ${JSON.stringify(frame)}`);
    return frame;
  }

  /** Reads one exchange's whole answer and grants credit for it. No other exchange may be running. */
  async answer(id: number): Promise<{ readonly status: number; readonly text: string; readonly frames: number }> {
    const head = await this.response();
    const pieces = [head.body];
    let end = head.end;
    let frames = 1;
    while (!end) {
      const frame = await this.frame();
      if (frame.type === "credit") continue;
      if (frame.type !== "response_data") throw new Error(`expected response data, got ${JSON.stringify(frame)}`);
      pieces.push(frame.body);
      this.credit(id, Math.max(1, frame.body.length));
      end = frame.end;
      frames += 1;
    }
    return { status: head.head.status, text: Buffer.concat(pieces).toString(), frames };
  }

  status(what: string): Promise<Text> {
    return this.texts.takeUntil((text) => text["status"] === what, `status ${what}`);
  }

  close(code: number, reason: string): void {
    this.socket?.close(code, reason);
  }

  /** Disconnects without a close frame, like a killed server. */
  kill(): void {
    this.socket?.terminate();
  }
}

function decodeOrThrow(message: Buffer): Frame {
  const frame = decodeFrame(message);
  if (frame.type === "bad") throw new Error(`the worker sent a bad frame: ${frame.reason}`);
  return frame;
}

function toBytes(body: Body): Uint8Array {
  return typeof body === "string" ? encoder.encode(body) : body;
}
