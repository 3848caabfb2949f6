import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { NATIVE_PROTOCOL } from "../wire/protocol.ts";
import { errorCode } from "../worker/backend.ts";
import { connectUrl } from "../worker/server-url.ts";
import type { NoReply, Reply } from "./http-probe.ts";
import type { Target } from "./target.ts";
import { openWay } from "./tunnel.ts";

/** An answer to an upgrade, and whether the socket could be used. */
export interface UpgradeReply extends Reply {
  /** Whether the key was answered correctly (RFC 6455 §4.2.2), by something that knows WebSocket. */
  readonly isAccepted: boolean;
  /** The subprotocol that was chosen. */
  readonly protocol: string | undefined;
}

const TIMEOUT_MS = 10_000;
/** Enough for any head of ours and of proxies, and for the first lines of an error page. */
const MAX_BYTES = 64 * 1024;
/** How long a body may take to arrive after its head. */
const BODY_MS = 300;

/**
 * Requests a WebSocket by hand, since Bun's own reports only that it failed, and disconnects as soon as the answer is there.
 * Never rejects.
 */
export async function askUpgrade(target: Target, kind: string, signal: AbortSignal): Promise<UpgradeReply | NoReply> {
  const startedAt = performance.now();
  const key = randomBytes(16).toString("base64");
  let way: Socket | undefined;
  try {
    way = await openWay(target, signal);
  } catch (error) {
    return { kind: "none", code: errorCode(error), elapsedMs: Math.round(performance.now() - startedAt) };
  }
  return new Promise((resolve) => {
    const begin = (): boolean => socket.write(requestText(target, kind, key));
    const socket = open(target, way, begin);
    let text = "";
    let bodyTimer: Timer | undefined;
    const end = (outcome: (elapsedMs: number) => UpgradeReply | NoReply): void => {
      clearTimeout(timer);
      clearTimeout(bodyTimer);
      signal.removeEventListener("abort", giveUp);
      socket.destroy();
      resolve(outcome(Math.round(performance.now() - startedAt)));
    };
    const fail = (code: string): void => end((elapsedMs) => ({ kind: "none", code, elapsedMs }));
    const giveUp = (): void => fail("TimeoutError");
    const done = (): void => {
      const reply = parseReply(text, key);
      end((elapsedMs) => (reply ? { ...reply, elapsedMs } : { kind: "none", code: "ECONNRESET", elapsedMs }));
    };
    const timer = setTimeout(giveUp, TIMEOUT_MS);
    signal.addEventListener("abort", giveUp);
    socket.once("error", (error) => fail(errorCode(error)));
    socket.once("close", done);
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      if (text.length >= MAX_BYTES || /^HTTP\/1\.[01] 101 .*?\r\n\r\n/s.test(text)) return done();
      if (text.includes("\r\n\r\n")) bodyTimer ??= setTimeout(done, BODY_MS);
    });
  });
}

/**
 * Opens the socket for an upgrade, inside the tunnel of a proxy if there is one. Calls `begin` once it can be written to.
 */
function open({ host, port, isTls, isAddress }: Target, way: Socket | undefined, begin: () => void): Socket {
  if (!isTls && way) {
    queueMicrotask(begin);
    return way;
  }
  if (!isTls) return connect({ host, port }, begin);
  const name = isAddress ? {} : { servername: host };
  const place = way === undefined ? { host, port } : { socket: way };
  return connectTls({ ...place, ...name, ALPNProtocols: ["http/1.1"] }, begin);
}

function requestText({ server }: Target, kind: string, key: string): string {
  const url = new URL(connectUrl(server, kind));
  return [
    `GET ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Key: ${key}`,
    `Sec-WebSocket-Protocol: ${NATIVE_PROTOCOL}`,
    "\r\n",
  ].join("\r\n");
}

/** Reads an answer; undefined for anything that is not HTTP. */
function parseReply(text: string, key: string): Omit<UpgradeReply, "elapsedMs"> | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = text.slice(0, Math.max(0, headEnd)).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1]);
  if (headEnd < 0 || Number.isNaN(status)) return undefined;
  const headers = new Headers();
  for (const line of lines) {
    const [, name, value] = /^([\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) headers.append(name, value);
  }
  return {
    kind: "reply",
    status,
    headers,
    text: bodyText(text.slice(headEnd + 4), headers),
    isAccepted: headers.get("sec-websocket-accept") === acceptOf(key),
    protocol: headers.get("sec-websocket-protocol") ?? undefined,
  };
}

/** Returns the body's text, chunked or not: the error bodies of interest come in one chunk. */
function bodyText(raw: string, headers: Headers): string {
  if (headers.get("transfer-encoding")?.toLowerCase() !== "chunked") return raw;
  return raw.replace(/^[\da-f]+\r\n/i, "").replace(/\r\n0\r\n.*$/s, "");
}

/** Returns the right answer to a key (RFC 6455 §4.2.2). */
function acceptOf(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}
