import {
  decodeFrame,
  encodeCredit,
  encodeReset,
  encodeResponse,
  encodeResponseData,
  type Frame,
  type ResetCode,
} from "../../src/wire/frame.ts";
import type { HeaderPairs } from "../../src/wire/heads.ts";
import { Inbox } from "./inbox.ts";

const encoder = new TextEncoder();
const JSON_HEADERS: HeaderPairs = [["content-type", "application/json"]];
const SSE_HEADERS: HeaderPairs = [["content-type", "text/event-stream"]];

export interface NativeWorkerOptions {
  /** The URL of the server under test: `http://…`. */
  readonly url: string;
  readonly path?: string;
  readonly register?: object;
  readonly headers?: Record<string, string>;
}

export type RequestFrame = Extract<Frame, { type: "request" }>;
type Body = string | Uint8Array;

/** A scripted worker of the native dialect. A test sends every frame itself and sees every frame that arrives. */
export class NativeWorker {
  readonly frames = new Inbox<Frame>();
  readonly texts = new Inbox<Record<string, unknown>>();
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly socket: WebSocket;

  constructor(options: NativeWorkerOptions) {
    const url = `${options.url.replace(/^http/, "ws")}${options.path ?? "/api/llm/connect"}`;
    // Bun's client accepts an options object, which the DOM's type does not have.
    this.socket = new WebSocket(url, {
      protocols: ["moorage.v1"],
      headers: options.headers ?? {},
    } as unknown as string[]);
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      if (options.register) this.sendText({ type: "register", ...options.register });
    };
    this.socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") return this.texts.put(JSON.parse(data));
      const frame = decodeFrame(new Uint8Array(data));
      if (frame.type === "bad") throw new Error(`the server sent a bad frame: ${frame.reason}`);
      this.frames.put(frame);
    };
    this.closed = new Promise((resolve) => {
      this.socket.onclose = ({ code, reason }) => resolve({ code, reason });
    });
  }

  /** Connects and registers; `register` needs only the fields that matter to the test. */
  static async connect(options: NativeWorkerOptions): Promise<NativeWorker> {
    const worker = new NativeWorker({ ...options, register: options.register ?? {} });
    await worker.registered();
    return worker;
  }

  registered(): Promise<Record<string, unknown>> {
    return this.texts.takeUntil((text) => text["type"] === "registered", "registered");
  }

  sendText(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  send(frame: Uint8Array): void {
    this.socket.send(frame);
  }

  /** Resolves when the server has read everything that was sent before. */
  async roundTrip(): Promise<void> {
    const answered = new Promise((resolve) => this.socket.addEventListener("pong", resolve, { once: true }));
    this.socket.ping();
    await answered;
  }

  async request(): Promise<RequestFrame> {
    const frame = await this.frames.takeUntil((candidate) => candidate.type === "request", "a request");
    return frame as RequestFrame; // The filter above lets nothing else through.
  }

  /** Takes the rest of a request's body, giving credit for it, and returns the whole of it. */
  async wholeBody({ id, body, end }: RequestFrame): Promise<Uint8Array> {
    const parts = [Uint8Array.from(body)];
    let isOver = end;
    while (!isOver) {
      const frame = await this.frames.takeUntil((each) => each.type === "request_data" && each.id === id, "the body");
      if (frame.type !== "request_data") continue;
      parts.push(Uint8Array.from(frame.body));
      this.credit(id, frame.body.length);
      isOver = frame.end;
    }
    return Buffer.concat(parts);
  }

  reset(): Promise<Frame> {
    return this.frames.takeUntil((frame) => frame.type === "reset", "a reset");
  }

  /** Sends a whole JSON answer in one frame. */
  answerJson(id: number, json: unknown, status = 200): void {
    this.send(encodeResponse(id, { status, headers: JSON_HEADERS }, encoder.encode(JSON.stringify(json)), true));
  }

  head(id: number, status = 200, headers: HeaderPairs = SSE_HEADERS, body: Body = "", end = false): void {
    this.send(encodeResponse(id, { status, headers }, toBytes(body), end));
  }

  data(id: number, body: Body, end = false): void {
    this.send(encodeResponseData(id, toBytes(body), end));
  }

  end(id: number): void {
    this.data(id, "", true);
  }

  credit(id: number, bytes: number): void {
    this.send(encodeCredit(id, bytes));
  }

  breakOff(id: number, code: ResetCode, message = ""): void {
    this.send(encodeReset(id, code, message));
  }

  close(): void {
    this.socket.close();
  }

  /** Disconnects without a close frame, like a killed worker. */
  kill(): void {
    this.socket.terminate();
  }
}

function toBytes(body: Body): Uint8Array {
  return typeof body === "string" ? encoder.encode(body) : body;
}
