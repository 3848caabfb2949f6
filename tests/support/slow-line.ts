import { connect, createServer, type Server, type Socket } from "node:net";

/** A line between two programs, on which each byte takes a while in either direction. */
export class SlowLine {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Starts a line from a free port to the port `to` of this machine. */
  static async start(to: number, delayMs: number): Promise<SlowLine> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const line = new SlowLine(server);
    server.on("connection", (near) => line.#join(near, connect(to, "127.0.0.1"), delayMs));
    return line;
  }

  get port(): number {
    const address = this.#server.address();
    if (typeof address !== "object" || !address) throw new Error("it does not listen");
    return address.port;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(near: Socket, far: Socket, delayMs: number): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      // Timers of one length run in the order in which they were set.
      from.on("data", (bytes) => setTimeout(() => !to.destroyed && to.write(bytes), delayMs));
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
