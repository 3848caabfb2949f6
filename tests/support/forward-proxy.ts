import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePort } from "./proxy.ts";

/** The names that the scripted proxy finds on this machine. No resolver knows the top-level domain (RFC 6761). */
export const FAR_HOST = "hub.test";

/**
 * A scripted forward proxy for HTTP and CONNECT. It connects to the loopback whatever name it is asked for, so that a test
 * can use names that only the proxy can resolve.
 */
export class ScriptedProxy {
  /** The first line of every request. */
  readonly seen: string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((socket) => this.#serve(socket));
  }

  static async start(): Promise<ScriptedProxy> {
    const proxy = new ScriptedProxy();
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address ? address.port : 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#keep(socket);
    let head = Buffer.alloc(0);
    const onData = (bytes: Buffer): void => {
      head = Buffer.concat([head, bytes]);
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", onData);
      // Until the pipe is there, what arrives must wait.
      socket.pause();
      this.#forward(socket, head.subarray(0, end + 4).toString("latin1"), head.subarray(end + 4));
    };
    socket.on("data", onData);
  }

  #forward(socket: Socket, head: string, rest: Buffer): void {
    this.seen.push(head.split("\r\n", 1)[0] ?? "");
    const tunnel = /^CONNECT \S+:(\d+) /.exec(head);
    const plain = /^(\w+) http:\/\/[^/:]+:(\d+)(\/\S*) (.*)$/s.exec(head);
    const port = Number(tunnel?.[1] ?? plain?.[2]);
    if (!port) return void socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    const target = connect(port, "127.0.0.1", () => {
      if (tunnel) socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      // One request per connection keeps this short.
      else
        target.write(
          `${plain?.[1]} ${plain?.[3]} ${plain?.[4]?.replace(/\r\n\r\n$/, "\r\nconnection: close\r\n\r\n")}`,
        );
      target.write(rest);
      target.pipe(socket);
      socket.pipe(target);
    });
    this.#keep(target);
    target.on("close", () => socket.destroy());
    socket.on("close", () => target.destroy());
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

export interface TinyproxyOptions {
  /** The next proxy, which resolves the names. */
  readonly upstream: ScriptedProxy;
  /** `user password`; without it anybody may use the proxy. */
  readonly credentials?: string;
  /** The only port that CONNECT may name; any unless given. */
  readonly connectPort?: number;
}

/** Starts tinyproxy, a real forward proxy. */
export async function startTinyproxy(
  options: TinyproxyOptions,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), "moorage-tinyproxy-"));
  const port = await freePort();
  const { upstream, credentials, connectPort } = options;
  const lines = [
    `Port ${port}`,
    "Listen 127.0.0.1",
    "Allow 127.0.0.1",
    "Timeout 600",
    `Upstream http 127.0.0.1:${upstream.port}`,
    ...(credentials === undefined ? [] : [`BasicAuth ${credentials}`]),
    ...(connectPort === undefined ? [] : [`ConnectPort ${connectPort}`]),
  ];
  const path = join(folder, "tinyproxy.conf");
  writeFileSync(path, `${lines.join("\n")}\n`);
  const child = Bun.spawn(["tinyproxy", "-d", "-c", path], { stdio: ["ignore", "ignore", "ignore"] });
  await eventually(() => accepts(port), "tinyproxy listens");
  return {
    port,
    async stop() {
      child.kill();
      await child.exited;
      rmSync(folder, { recursive: true });
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const end = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", () => end(true));
    socket.once("error", () => end(false));
  });
}
