import { connect, type Socket } from "node:net";
import { NATS_USER } from "../../src/demo/nats/nats-server.ts";
import { eventually } from "./eventually.ts";

/** A message that passed through NATS. */
export interface HeardMessage {
  readonly subject: string;
  readonly text: string;
}

/** A client of NATS that hears every message on every subject. It speaks the protocol by hand, and writes nothing. */
export class NatsListener {
  readonly messages: HeardMessage[] = [];
  readonly #socket: Socket;
  #unread = Buffer.alloc(0);
  #isSubscribed = false;

  private constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (bytes) => this.#read(Buffer.from(bytes)));
    this.#socket.on("error", () => {}); // The server was stopped.
    const login = { user: NATS_USER.name, pass: NATS_USER.password, verbose: false, pedantic: false };
    const client = { lang: "test", version: "1", protocol: 1, headers: true };
    this.#socket.write(`CONNECT ${JSON.stringify({ ...login, ...client })}\r\nSUB > 1\r\nPING\r\n`);
  }

  /** Resolves when it hears everything. */
  static async connect(port: number): Promise<NatsListener> {
    const listener = new NatsListener(port);
    await eventually(() => listener.#isSubscribed, "NATS has accepted the subscription");
    return listener;
  }

  /** Everything that was heard, as one text. */
  get text(): string {
    return this.messages.map(({ text }) => text).join("\n");
  }

  stop(): void {
    this.#socket.destroy();
  }

  /** Reads lines, and after a line that begins a message as many bytes as it says. */
  #read(bytes: Buffer): void {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    for (;;) {
      const end = this.#unread.indexOf("\r\n");
      if (end < 0) return;
      const line = this.#unread.subarray(0, end).toString();
      if (line === "PING") this.#socket.write("PONG\r\n");
      if (line === "PONG") this.#isSubscribed = true;
      const [word = "", subject = ""] = line.split(" ");
      const size = word === "MSG" || word === "HMSG" ? Number(line.split(" ").at(-1)) : undefined;
      if (size === undefined) {
        this.#unread = this.#unread.subarray(end + 2);
        continue;
      }
      if (this.#unread.length < end + 2 + size + 2) return;
      this.messages.push({ subject, text: this.#unread.subarray(end + 2, end + 2 + size).toString("latin1") });
      this.#unread = this.#unread.subarray(end + 2 + size + 2);
    }
  }
}
