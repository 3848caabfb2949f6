import { lookup } from "node:dns/promises";
import { connect, isIP } from "node:net";
import { errorCode } from "../worker/backend.ts";
import { shownProxy } from "../worker/outgoing-proxy.ts";
import { bad, type Check, type Finding, good, warning } from "./check.ts";
import type { Target } from "./target.ts";
import { openTunnel, type Tunnel } from "./tunnel.ts";

/** One address of the server, and the attempt to connect to it. */
export interface Reached {
  readonly address: string;
  readonly family: 4 | 6;
  /** How long connecting took; undefined if it failed, and `code` then says why. */
  readonly elapsedMs?: number;
  readonly code?: string;
}

interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

/** The most addresses of a name that are tried. */
const MAX_ADDRESSES = 6;
/** How long connecting may take. */
const CONNECT_MS = 5000;
/** How long resolving a name may take: the system's resolvers usually give up before. */
const LOOKUP_MS = 15_000;

/** Codes that mean that this machine has no network of that address family; programs notice that at once. */
const NO_SUCH_FAMILY = new Set(["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/**
 * Checks whether the name resolves, and whether connections to its addresses are accepted. Behind a proxy, the name and the
 * addresses are the proxy's, which resolves the server's name itself, and the connection is its tunnel.
 */
export function reachChecks(target: Target): readonly Check[] {
  const first = firstHop(target);
  let addresses: readonly Address[] = [];
  return [
    {
      id: "dns",
      title: "Name",
      needs: [],
      limitMs: LOOKUP_MS,
      async run() {
        const startedAt = performance.now();
        try {
          addresses = await resolve(first);
        } catch (error) {
          return unresolved(first.host, errorCode(error));
        }
        const elapsedMs = performance.now() - startedAt;
        const what = target.proxy === false ? first.host : `the proxy ${first.host}`;
        if (first.isAddress) return good(`${what} is an address`);
        return good(`${what} is ${addresses.map(({ address }) => address).join(", ")} (${toMs(elapsedMs)})`);
      },
    },
    {
      id: "tcp",
      title: "Connection",
      needs: ["dns"],
      limitMs: CONNECT_MS + 1000,
      async run(signal) {
        const reached = await Promise.all(addresses.map((address) => reach(address, first.port, signal)));
        const finding = judgeReached(reached, first);
        if (target.proxy === false || finding.verdict === "bad") return finding;
        const startedAt = performance.now();
        const tunnel = await openTunnel(target.proxy, target, signal);
        if (tunnel.kind === "open") tunnel.socket.destroy();
        return judgeTunnel(tunnel, target, performance.now() - startedAt);
      },
    },
  ];
}

/** Judges the way to a host by one attempt to connect per address. */
export function judgeReached(reached: readonly Reached[], { port }: Pick<Target, "port">): Finding {
  const outcome = reached
    .map(({ address, elapsedMs, code }) => `${address} ${elapsedMs === undefined ? code : `in ${toMs(elapsedMs)}`}`)
    .join(", ");
  const measured = `port ${port}: ${outcome}`;
  const missed = reached.filter(({ elapsedMs }) => elapsedMs === undefined);
  if (missed.length === reached.length) return bad(measured, unreachable(missed[0]?.code));
  const lost = missed.filter(({ code }) => !NO_SUCH_FAMILY.has(code ?? ""));
  const family = ([6, 4] as const).find((each) => {
    const own = reached.filter((one) => one.family === each);
    return own.length > 0 && own.every((one) => lost.includes(one));
  });
  if (family !== undefined)
    return warning(
      measured,
      `The name has IPv${family} addresses (${family === 6 ? "AAAA" : "A"}) that do not respond from here. Remove them from DNS, or fix IPv${family} on this machine or the server. Programs that try them first have to wait.`,
    );
  if (lost.length > 0)
    return warning(measured, "The name also resolves to addresses that do not respond. Remove them from DNS.");
  return good(measured);
}

async function resolve({ host, isAddress }: Pick<Target, "host" | "isAddress">): Promise<readonly Address[]> {
  if (isAddress) return [{ address: host, family: host.includes(":") ? 6 : 4 }];
  const found = await lookup(host, { all: true });
  const addresses = found.map(({ address, family }) => ({
    address,
    family: family === 6 ? (6 as const) : (4 as const),
  }));
  return addresses.slice(0, MAX_ADDRESSES);
}

function unresolved(host: string, code: string): Finding {
  const measured = `${host} cannot be resolved: ${code}`;
  if (code === "ENOTFOUND" || code === "ENODATA")
    return bad(measured, "The name does not exist. Check its spelling, or create its A or AAAA record.");
  return bad(measured, "The name server could not be reached. Check this machine's DNS and network.");
}

/** Judges a proxy's answer to the request for a tunnel to the server. */
export function judgeTunnel(
  tunnel: Pick<Tunnel, "kind"> & { readonly status?: string; readonly code?: string },
  { host, port, proxy }: Pick<Target, "host" | "port" | "proxy">,
  elapsedMs: number,
): Finding {
  const name = `the proxy ${proxy === false ? "" : shownProxy(proxy)}`;
  if (tunnel.kind === "open") return good(`${name} connects to ${host}, port ${port} (${toMs(elapsedMs)})`);
  if (tunnel.kind === "none")
    return bad(`${name} gives no answer to CONNECT: ${tunnel.code}`, "Check that this is an HTTP proxy, and its log.");
  const measured = `${name} refuses to connect to ${host}, port ${port}: ${tunnel.status}`;
  // Some proxies answer 401 where the standard asks for 407.
  if (/^40[17]/.test(tunnel.status ?? ""))
    return bad(
      measured,
      "Write a valid user name and password into HTTPS_PROXY (HTTP_PROXY for plain HTTP): http://user:password@host:port.",
    );
  return bad(
    measured,
    "Let the proxy connect to that host and port with CONNECT, or name the host in NO_PROXY to connect directly.",
  );
}

/** Returns what this machine itself connects to. */
function firstHop({ proxy, host, port, isAddress }: Target): Pick<Target, "host" | "port" | "isAddress"> {
  if (proxy === false) return { host, port, isAddress };
  const url = new URL(proxy);
  const name = url.hostname.replace(/^\[(.*)\]$/, "$1");
  return { host: name, port: Number(url.port) || (url.protocol === "https:" ? 443 : 80), isAddress: isIP(name) !== 0 };
}

function unreachable(code: string | undefined): string {
  if (code === "ECONNREFUSED")
    return "The machine responds, but nothing listens on that port. Start the proxy or server, or give the right port.";
  return "Nothing responds. Check that the machine is up, that the address is right, and that no firewall drops the connection.";
}

function reach({ address, family }: Address, port: number, signal: AbortSignal): Promise<Reached> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const end = (outcome: Pick<Reached, "elapsedMs" | "code">): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      socket.destroy();
      resolve({ address, family, ...outcome });
    };
    const stop = (): void => end({ code: "ETIMEDOUT" });
    const timer = setTimeout(stop, CONNECT_MS);
    signal.addEventListener("abort", stop);
    socket.once("connect", () => end({ elapsedMs: performance.now() - startedAt }));
    socket.once("error", (error) => end({ code: errorCode(error) }));
  });
}

function toMs(ms: number): string {
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}
