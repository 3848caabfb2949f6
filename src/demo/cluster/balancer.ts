import { connect, createServer, type Server, type Socket } from "node:net";

/** A server behind the balancer. */
export interface BalancedServer {
  readonly port: number;
  /** Whether new connections may go to it. */
  readonly isTaking: boolean;
}

/**
 * A minimal load balancer: it passes each TCP connection to the server with the fewest, or to the next one if that does not
 * accept it. It takes the place of the proxy in a real deployment, so that workers and clients need only one address.
 */
export class Balancer {
  readonly port: number;
  readonly #server: Server;
  readonly #servers: readonly BalancedServer[];
  readonly #open = new Map<BalancedServer, number>();
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number, servers: readonly BalancedServer[]) {
    this.#server = server;
    this.port = port;
    this.#servers = servers;
    server.on("connection", (client) => this.#enter(client));
  }

  /** Listens on the loopback. Rejects if the port is taken; 0 means any free port. */
  static start(port: number, servers: readonly BalancedServer[]): Promise<Balancer> {
    const server = createServer({ allowHalfOpen: true });
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => {
        const address = server.address();
        if (typeof address !== "object" || address === null) return reject(new Error("the balancer has no port"));
        resolve(new Balancer(server, address.port, servers));
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #enter(client: Socket): void {
    this.#keep(client);
    const count = (server: BalancedServer): number => this.#open.get(server) ?? 0;
    const order = this.#servers.filter(({ isTaking }) => isTaking).sort((a, b) => count(a) - count(b));
    this.#pass(client, order);
  }

  /** Tries the servers in this order. A client that none accepts is disconnected. */
  #pass(client: Socket, [server, ...others]: readonly BalancedServer[]): void {
    if (server === undefined || client.destroyed) return void client.destroy();
    const upstream = connect(server.port, "127.0.0.1");
    this.#keep(upstream);
    let isConnected = false;
    // Counted before it is connected, so that clients that come together are spread as well.
    this.#open.set(server, (this.#open.get(server) ?? 0) + 1);
    upstream.once("close", () => this.#open.set(server, (this.#open.get(server) ?? 0) - 1));
    upstream.once("error", () => (isConnected ? client.destroy() : this.#pass(client, others)));
    upstream.once("connect", () => {
      isConnected = true;
      // Bytes that the server has already sent still go to the client.
      upstream.once("close", () => client.end());
      client.once("close", () => upstream.destroy());
      client.pipe(upstream);
      upstream.pipe(client);
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {}); // `close` follows, and ends the other side.
    socket.once("close", () => this.#sockets.delete(socket));
  }
}
