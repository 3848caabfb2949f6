import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { errorCode } from "../worker/backend.ts";
import { bad, type Check, type Finding, good, warning } from "./check.ts";
import type { Target } from "./target.ts";

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

/** Checks whether the name resolves, and whether connections to its addresses are accepted. */
export function reachChecks(target: Target): readonly Check[] {
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
          addresses = await resolve(target);
        } catch (error) {
          return unresolved(target.host, errorCode(error));
        }
        const elapsedMs = performance.now() - startedAt;
        if (target.isAddress) return good(`${target.host} is an address`);
        return good(`${target.host} is ${addresses.map(({ address }) => address).join(", ")} (${toMs(elapsedMs)})`);
      },
    },
    {
      id: "tcp",
      title: "Connection",
      needs: ["dns"],
      limitMs: CONNECT_MS + 1000,
      async run(signal) {
        const reached = await Promise.all(addresses.map((address) => reach(address, target.port, signal)));
        return judgeReached(reached, target);
      },
    },
  ];
}

/** Judges the way to the server by one attempt to connect per address. */
export function judgeReached(
  reached: readonly Reached[],
  { port, proxyVariable }: Pick<Target, "port" | "proxyVariable">,
): Finding {
  const outcome = reached
    .map(({ address, elapsedMs, code }) => `${address} ${elapsedMs === undefined ? code : `in ${toMs(elapsedMs)}`}`)
    .join(", ");
  const measured = `port ${port}: ${outcome}`;
  const missed = reached.filter(({ elapsedMs }) => elapsedMs === undefined);
  if (missed.length === reached.length) return bad(measured, unreachable(missed[0]?.code, proxyVariable));
  if (proxyVariable !== undefined)
    return warning(
      measured,
      `${proxyVariable} is set here. The checks that use HTTP go through that proxy; a worker's WebSocket does not.`,
    );
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

async function resolve({ host, isAddress }: Target): Promise<readonly Address[]> {
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

function unreachable(code: string | undefined, proxyVariable: string | undefined): string {
  if (proxyVariable !== undefined)
    return `A worker connects without the proxy in ${proxyVariable}. Allow connections from this machine to that port.`;
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
