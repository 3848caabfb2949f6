import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { errorCode } from "../worker/backend.ts";
import type { Target } from "./target.ts";

/** A proxy's answer to CONNECT (RFC 9110 §9.3.6). */
export type Tunnel =
  | { readonly kind: "open"; readonly socket: Socket }
  /** `status` is the proxy's status line without the version: `403 Forbidden`. */
  | { readonly kind: "refused"; readonly status: string }
  /** `code` is the system's error code, or `TimeoutError`. */
  | { readonly kind: "none"; readonly code: string };

/** Enough for any head of a proxy. */
const MAX_HEAD_BYTES = 16 * 1024;

/** Asks a proxy for a tunnel to the server. Never rejects. The caller ends the socket of an open one. */
export function openTunnel(proxy: string, target: Pick<Target, "host" | "port">, signal: AbortSignal): Promise<Tunnel> {
  const { promise, resolve } = Promise.withResolvers<Tunnel>();
  const url = new URL(proxy);
  const socket = connectTo(url, () => socket.write(requestText(url, target)));
  let head = "";
  const giveUp = (): void => settle({ kind: "none", code: "TimeoutError" });
  const settle = (tunnel: Tunnel): void => {
    signal.removeEventListener("abort", giveUp);
    socket.removeAllListeners("data");
    socket.removeAllListeners("close");
    if (tunnel.kind !== "open") socket.destroy();
    resolve(tunnel);
  };
  signal.addEventListener("abort", giveUp);
  // Errors after the tunnel is open are its user's to notice; without a listener they would end the process.
  socket.on("error", (error) => settle({ kind: "none", code: errorCode(error) }));
  socket.on("close", () => settle({ kind: "none", code: "ECONNRESET" }));
  socket.on("data", (bytes: Buffer) => {
    head += bytes.toString("latin1");
    if (!head.includes("\r\n\r\n") && head.length < MAX_HEAD_BYTES) return;
    const status = /^HTTP\/1\.[01] (\d{3}[^\r\n]{0,80})/.exec(head)?.[1]?.trim();
    if (status === undefined) return settle({ kind: "refused", status: "an answer that is not HTTP" });
    settle(status.startsWith("2") ? { kind: "open", socket } : { kind: "refused", status });
  });
  return promise;
}

/** Opens the way to the server: a proxy's tunnel, or undefined where no proxy is used. Rejects when the proxy gives none. */
export async function openWay(target: Target, signal: AbortSignal): Promise<Socket | undefined> {
  if (target.proxy === false) return undefined;
  const tunnel = await openTunnel(target.proxy, target, signal);
  if (tunnel.kind === "open") return tunnel.socket;
  throw Object.assign(new Error("the proxy gives no tunnel"), {
    code: tunnel.kind === "none" ? tunnel.code : "ECONNREFUSED",
  });
}

function connectTo({ protocol, hostname, port }: URL, onOpen: () => void): Socket {
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  if (protocol === "http:") return connect({ host, port: Number(port) || 80 }, onOpen);
  return connectTls({ host, port: Number(port) || 443, servername: host }, onOpen);
}

function requestText({ username, password }: URL, { host, port }: Pick<Target, "host" | "port">): string {
  const name = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const given = `${decoded(username)}:${decoded(password)}`;
  const credentials = username === "" ? [] : [`Proxy-Authorization: Basic ${Buffer.from(given).toString("base64")}`];
  return [`CONNECT ${name} HTTP/1.1`, `Host: ${name}`, ...credentials, "\r\n"].join("\r\n");
}

/** Decodes a part of a URL. A text with a percent sign that encodes nothing is taken as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
