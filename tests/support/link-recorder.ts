import type { ServerWebSocket } from "bun";
import { NATIVE_PROTOCOL } from "../../src/wire/protocol.ts";

/** One message of a link: JSON text as it was, or a binary frame in base64. */
export interface RecordedMessage {
  readonly from: "worker" | "server";
  readonly text?: string;
  readonly frame?: string;
}

interface LinkData {
  readonly path: string;
  /** What else the request says that the far end has to know. */
  readonly headers: Record<string, string>;
  readonly protocols: string[];
  far?: WebSocket;
}

/** A line between a worker and a server, or between two servers, that keeps a copy of every message of their links. */
export class LinkRecorder {
  readonly messages: RecordedMessage[] = [];
  readonly url: string;
  readonly #server: Bun.Server<LinkData>;

  constructor(target: string) {
    this.#server = Bun.serve<LinkData>({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, server) => {
        const authorization = request.headers.get("authorization");
        const isNative = request.headers.get("sec-websocket-protocol") !== null;
        const data: LinkData = {
          path: new URL(request.url).pathname,
          headers: authorization === null ? {} : { authorization },
          protocols: isNative ? [NATIVE_PROTOCOL] : [],
        };
        const headers: Record<string, string> = isNative ? { "sec-websocket-protocol": NATIVE_PROTOCOL } : {};
        return server.upgrade(request, { data, headers }) ? undefined : new Response("upgrade only", { status: 426 });
      },
      websocket: {
        open: (near) => this.#join(near, target.replace(/^http/, "ws")),
        message: ({ data: { far } }, message) => {
          this.#keep("worker", message);
          far?.send(message);
        },
        close: ({ data: { far } }) => far?.close(),
      },
    });
    this.url = `http://127.0.0.1:${this.#server.port}`;
  }

  async stop(): Promise<void> {
    await this.#server.stop(true);
  }

  /** Dials the server. A worker speaks first, so its first message may have to wait until that link is open. */
  #join(near: ServerWebSocket<LinkData>, target: string): void {
    const { path, headers, protocols } = near.data;
    // Bun's client accepts an options object, which the DOM's type does not have.
    const far = new WebSocket(target + path, { protocols, headers } as unknown as string[]);
    far.binaryType = "arraybuffer";
    const early: (string | Buffer)[] = [];
    const send = far.send.bind(far);
    far.send = (message) => {
      // The handler above passes on exactly these two types.
      if (far.readyState === WebSocket.OPEN) send(message);
      else early.push(message as string | Buffer);
    };
    far.onopen = () => {
      for (const message of early) send(message);
    };
    far.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      const message = typeof data === "string" ? data : Buffer.from(data);
      this.#keep("server", message);
      near.send(message);
    };
    far.onclose = ({ code, reason }) => near.close(code === 1006 ? 1011 : code, reason);
    near.data.far = far;
  }

  #keep(from: RecordedMessage["from"], message: string | Buffer): void {
    this.messages.push(
      typeof message === "string" ? { from, text: message } : { from, frame: message.toString("base64") },
    );
  }
}
