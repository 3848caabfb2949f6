import { connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";

/** The ways in which a proxy changes traffic. Without any, it forwards all bytes as they arrive. */
export interface Meddling {
  /** Changes a request's head, or answers it in the server's place with a whole HTTP answer. */
  readonly onRequest?: (head: string) => { readonly head: string } | { readonly answer: string };
  /** Changes an answer's head. */
  readonly onAnswer?: (head: string) => string;
  /** Whether answers other than WebSockets are held back until they are whole. */
  readonly holdsAnswers?: boolean;
  /** Whether request bodies are held back until they are whole. */
  readonly holdsRequests?: boolean;
  /** How long a connection may be silent before it is cut. */
  readonly idleMs?: number;
  /** How many bytes a client may send on a WebSocket before it is cut. */
  readonly maxSocketBytes?: number;
  /** Whether a request continues after its client has left. */
  readonly ignoresLeaving?: boolean;
  /** More servers behind the same address, which get connections in turn. */
  readonly otherServers?: readonly string[];
  readonly tls?: { readonly key: string; readonly cert: string };
}

export interface MeddlingProxy {
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** Starts a proxy on a free port of the loopback. It serves one request or one WebSocket per connection. */
export async function startMeddlingProxy(serverUrl: string, meddling: Meddling): Promise<MeddlingProxy> {
  const serverPorts = [serverUrl, ...(meddling.otherServers ?? [])].map((url) => Number(new URL(url).port));
  let taken = 0;
  const sockets = new Set<Socket>();
  const take = (client: Socket): void => {
    const server = connect(serverPorts[taken % serverPorts.length] ?? 0, "127.0.0.1");
    taken += 1;
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => sockets.delete(socket));
    }
    client.on("close", () => {
      if (!meddling.ignoresLeaving) server.destroy();
    });
    // The server's last bytes may still be on their way to the client.
    server.on("close", () => client.end());
    join(client, server, meddling);
  };
  const listener: Server = meddling.tls ? createTlsServer(meddling.tls, take) : createServer(take);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    port,
    url: `${meddling.tls ? "https" : "http"}://127.0.0.1:${port}`,
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

function join(client: Socket, server: Socket, meddling: Meddling): void {
  const { idleMs, holdsAnswers, holdsRequests, onRequest, onAnswer } = meddling;
  let isUpgrade = false;
  let sent = 0;
  let timer: Timer | undefined;
  const touch = (): void => {
    if (idleMs === undefined) return;
    clearTimeout(timer);
    timer = setTimeout(() => client.destroy(), idleMs);
  };
  client.on("close", () => clearTimeout(timer));
  const toServer = createLane(
    (head) => {
      isUpgrade = /^upgrade: websocket/im.test(head);
      // Otherwise the client's next request would count as more of this one.
      const own = isUpgrade
        ? head
        : head.replace(/^connection: .*\r\n/im, "").replace("\r\n", "\r\nConnection: close\r\n");
      const done = onRequest?.(own) ?? { head: own };
      if ("head" in done) return done.head;
      client.end(done.answer);
      return undefined;
    },
    () => holdsRequests === true && !isUpgrade,
    (bytes) => void server.write(bytes),
  );
  const toClient = createLane(
    (head) => onAnswer?.(head) ?? head,
    () => holdsAnswers === true && !isUpgrade,
    (bytes) => void client.write(bytes),
  );
  client.on("data", (bytes: Buffer) => {
    touch();
    sent += bytes.length;
    if (isUpgrade && sent > (meddling.maxSocketBytes ?? Number.POSITIVE_INFINITY)) client.destroy();
    else toServer(bytes);
  });
  server.on("data", (bytes: Buffer) => {
    touch();
    toClient(bytes);
  });
  touch();
}

/** Creates one direction of a connection, which changes the head and may hold the body back until it is whole. */
function createLane(
  onHead: (head: string) => string | undefined,
  isHeld: () => boolean,
  write: (bytes: Buffer) => void,
): (bytes: Buffer) => void {
  let head = Buffer.alloc(0);
  let text = "";
  let state: "head" | "held" | "open" | "answered" = "head";
  const held: Buffer[] = [];
  const take = (bytes: Buffer): void => {
    held.push(bytes);
    if (isHeld() && !isWhole(text, held)) return;
    state = "open";
    write(Buffer.concat(held));
  };
  return (bytes) => {
    if (state === "answered") return;
    if (state === "open") return write(bytes);
    if (state === "held") return take(bytes);
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf(HEAD_END);
    if (end < 0) return;
    const changed = onHead(head.subarray(0, end + HEAD_END.length).toString("latin1"));
    state = changed === undefined ? "answered" : "held";
    if (changed === undefined) return;
    text = changed;
    held.push(Buffer.from(changed, "latin1"));
    take(head.subarray(end + HEAD_END.length));
  };
}

/** Returns whether a message is whole. The first piece is its head. */
function isWhole(head: string, pieces: readonly Buffer[]): boolean {
  if (/^transfer-encoding: chunked/im.test(head))
    return Buffer.concat(pieces.slice(-LAST_CHUNK.length)).subarray(-LAST_CHUNK.length).equals(LAST_CHUNK);
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return bytes >= head.length + Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
}
