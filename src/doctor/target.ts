import { isIP } from "node:net";
import { isLoopback } from "../system/loopback.ts";
import { createProxyChoice } from "../worker/outgoing-proxy.ts";
import { httpUrl } from "../worker/server-url.ts";
import type { DoctorSettings } from "./args.ts";
import type { OwnKey } from "./own-key.ts";

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
  /** The worker id to register; the server makes one unless given. */
  readonly workerId: string | undefined;
  /** What a worker on this machine has as a key of its own. If it has one, `clientKey` is that. */
  readonly ownKey: OwnKey;
  readonly apiKey: string | undefined;
  /** The key for the server's state: an operator's, else the API key. */
  readonly stateKey: string | undefined;
  readonly idleMs: number;
  /** The proxy that workers and clients on this machine go through; false for none. It may contain a password. */
  readonly proxy: string | false;
}

export function toTarget(settings: DoctorSettings, ownKey: OwnKey = { kind: "none" }): Target {
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
    ...(ownKey.kind === "kept"
      ? { clientKey: ownKey.credential, previousKey: undefined, workerId: ownKey.workerId }
      : { clientKey: clientKeys[0], previousKey: clientKeys[1], workerId: undefined }),
    ownKey,
    apiKey,
    stateKey: adminKey ?? apiKey,
    idleMs,
    proxy: createProxyChoice(settings)(base),
  };
}
