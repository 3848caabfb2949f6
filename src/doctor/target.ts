import { isIP } from "node:net";
import { isLoopback } from "../system/loopback.ts";
import { createProxyChoice } from "../worker/outgoing-proxy.ts";
import { httpUrl } from "../worker/server-url.ts";
import type { DoctorSettings } from "./args.ts";

/** The deployment under test. */
export interface Target {
  /** The server's base URL for HTTP, without a trailing slash. */
  readonly base: string;
  /** The URL that a worker dials. */
  readonly server: string;
  /** The host name, or an IP address without brackets. */
  readonly host: string;
  readonly isAddress: boolean;
  readonly port: number;
  readonly isTls: boolean;
  /** Whether the server is on this machine, where nobody can eavesdrop on the way. */
  readonly isLoopback: boolean;
  readonly clientKey: string | undefined;
  /** The client key before it was replaced. */
  readonly previousKey: string | undefined;
  readonly apiKey: string | undefined;
  /** The key for the server's state: an operator's, else the API key. */
  readonly stateKey: string | undefined;
  readonly idleMs: number;
  /** The proxy that workers and clients on this machine go through; false for none. It may contain a password. */
  readonly proxy: string | false;
}

export function toTarget(settings: DoctorSettings): Target {
  const { server, clientKeys, apiKey, adminKey, idleMs } = settings;
  const base = httpUrl(server);
  const url = new URL(base);
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const isTls = url.protocol === "https:";
  return {
    base,
    server,
    host,
    isAddress: isIP(host) !== 0,
    port: Number(url.port) || (isTls ? 443 : 80),
    isTls,
    isLoopback: isLoopback(host),
    clientKey: clientKeys[0],
    previousKey: clientKeys[1],
    apiKey,
    stateKey: adminKey ?? apiKey,
    idleMs,
    proxy: createProxyChoice(settings)(base),
  };
}
