import { CLOSES } from "../../src/wire/closes.ts";
import { Inbox } from "./inbox.ts";

export interface LegacyRequest {
  readonly type: "http_proxy_request";
  readonly request_id: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly stream?: boolean;
  readonly body?: string;
}

export interface LegacyWorkerOptions {
  readonly url: string;
  readonly path?: string;
  readonly register?: object;
  readonly headers?: Record<string, string>;
}

/** A scripted worker of the legacy dialect (v0.9.6): JSON text, with bodies in base64. */
export class LegacyWorker {
  readonly messages = new Inbox<Record<string, unknown>>();
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly opened: Promise<void>;
  readonly socket: WebSocket;

  constructor(options: LegacyWorkerOptions) {
    const url = `${options.url.replace(/^http/, "ws")}${options.path ?? "/api/llm/connect"}`;
    // Bun's client accepts an options object, which the DOM's type does not have.
    this.socket = new WebSocket(url, { headers: options.headers ?? {} } as unknown as string[]);
    this.socket.onmessage = ({ data }: MessageEvent<string | Buffer>) => this.messages.put(JSON.parse(data.toString()));
    this.opened = new Promise((resolve) => {
      this.socket.onopen = () => {
        if (options.register) this.send({ type: "register", ...options.register });
        resolve();
      };
    });
    this.closed = new Promise((resolve) => {
      this.socket.onclose = ({ code, reason }) => resolve({ code, reason });
    });
  }

  send(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  async request(): Promise<LegacyRequest> {
    const message = await this.messages.takeUntil(
      (candidate) => candidate["type"] === "http_proxy_request",
      "http_proxy_request",
    );
    return message as unknown as LegacyRequest; // The filter above lets nothing else through.
  }

  cancelled(): Promise<Record<string, unknown>> {
    return this.messages.takeUntil((message) => message["type"] === "http_proxy_cancel", "http_proxy_cancel");
  }

  head(
    request_id: string,
    status = 200,
    headers: Record<string, string> = { "content-type": "application/json" },
  ): void {
    this.send({ type: "http_proxy_response_headers", request_id, status, headers });
  }

  chunk(request_id: string, body: string | Uint8Array): void {
    this.send({ type: "http_proxy_response_chunk", request_id, data: Buffer.from(body as string).toString("base64") });
  }

  end(request_id: string, error?: { code: string; message: string }): void {
    this.send({ type: "http_proxy_response_end", request_id, ...(error ? { error } : {}) });
  }

  answerJson(request_id: string, json: unknown, status = 200): void {
    this.head(request_id, status);
    this.chunk(request_id, JSON.stringify(json));
    this.end(request_id);
  }

  close(): void {
    this.socket.close(CLOSES.drained.code, CLOSES.drained.reason);
  }

  kill(): void {
    this.socket.terminate();
  }
}
