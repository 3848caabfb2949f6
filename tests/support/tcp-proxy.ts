import { connect, createServer, type Server, type Socket } from "node:net";

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  lastAt: number;
  isSwallowed: boolean;
  isKept: boolean;
}

/** A line between two programs that a test can break. Until then it passes all bytes. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #port: number;
  readonly #watch: Timer | undefined;
  #isCut = false;

  private constructor(server: Server, port: number, idleCutMs: number | undefined) {
    this.#server = server;
    this.#port = port;
    if (idleCutMs !== undefined) this.#watch = setInterval(() => this.#cutIdle(idleCutMs), 20);
  }

  /**
   * Starts a proxy for `target`, on a free port unless one is given. With `idleCutMs`, it closes connections that were silent
   * for so long.
   */
  static async start(target: string, idleCutMs?: number, port = 0): Promise<TcpProxy> {
    const to = new URL(target);
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    const address = server.address();
    if (typeof address !== "object" || !address) throw new Error("it does not listen");
    const proxy = new TcpProxy(server, address.port, idleCutMs);
    server.on("connection", (near) => proxy.#join(near, connect(Number(to.port), to.hostname)));
    return proxy;
  }

  get port(): string {
    return String(this.#port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Keeps the connections that exist now when `cut` is called. */
  keep(): void {
    for (const pair of this.#pairs) pair.isKept = true;
  }

  /** Passes nothing on connections, neither on existing ones nor on new ones, and closes none, until `mend`. */
  cut(): void {
    this.#isCut = true;
    for (const pair of this.#pairs) if (!pair.isKept) hold(pair);
  }

  /** Ends `cut`: connections from before are closed, and new ones pass. */
  mend(): void {
    this.#isCut = false;
    for (const pair of [...this.#pairs]) {
      if (!pair.isSwallowed) continue;
      this.#pairs.delete(pair);
      pair.near.destroy();
      pair.far.destroy();
    }
  }

  /** Passes nothing more on the existing connections and does not close them, as when a cable is cut. */
  swallow(): void {
    for (const pair of this.#pairs) hold(pair);
  }

  async stop(): Promise<void> {
    clearInterval(this.#watch);
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(near: Socket, far: Socket): void {
    const pair: Pair = { near, far, lastAt: performance.now(), isSwallowed: false, isKept: false };
    this.#pairs.add(pair);
    if (this.#isCut) hold(pair);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("data", (bytes) => {
        pair.lastAt = performance.now();
        if (pair.isSwallowed || to.write(bytes)) return;
        from.pause();
        to.once("drain", () => !pair.isSwallowed && from.resume());
      });
      from.on("end", () => !pair.isSwallowed && to.end());
      from.on("error", () => {});
      from.on("close", () => {
        if (pair.isSwallowed) return;
        this.#pairs.delete(pair);
        to.destroy();
      });
    }
  }

  #cutIdle(afterMs: number): void {
    for (const { near, far, lastAt } of this.#pairs) {
      if (performance.now() - lastAt < afterMs) continue;
      near.destroy();
      far.destroy();
    }
  }
}

function hold(pair: Pair): void {
  pair.isSwallowed = true;
  pair.near.pause();
  pair.far.pause();
}
