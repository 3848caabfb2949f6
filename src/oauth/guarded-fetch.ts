import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { isPublicAddress } from "./public-address.ts";

/** The longest document. Those of programs have about one kilobyte. */
const MAX_BYTES = 64 * 1024;
const TIMEOUT_MS = 5000;
const HTTPS_PORT = 443;

/** A document that was fetched. */
export interface Fetched {
  readonly text: string;
  readonly cacheControl: string | undefined;
}

/** Says that there is no document that may be read, and that another attempt would find none either. Other errors may pass. */
export class NoDocument extends Error {
  override readonly name = "NoDocument";
}

/** Where documents may be fetched. */
export interface FetchGuard {
  /** Returns the addresses of a host. */
  resolve(host: string): Promise<readonly string[]>;
  mayConnect(address: string, port: number): boolean;
  /** A certificate authority beside those of the system, for tests. */
  readonly authority?: string;
}

/** Lets this server connect to public addresses at the port of https, and to nothing else. */
export const PUBLIC_ONLY: FetchGuard = {
  resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
  mayConnect: (address, port) => port === HTTPS_PORT && isPublicAddress(address),
};

/**
 * Fetches a document at an https URL that a stranger has named. It connects to an address that it has checked, and to none that the
 * name leads to a moment later; it follows no redirect and sends nothing but the request. Rejects with an error whose message says
 * why there is no document: a `NoDocument`, or another error while its server is down, slow or busy.
 */
export async function fetchGuarded(url: URL, guard: FetchGuard): Promise<Fetched> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const name = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? HTTPS_PORT : Number(url.port);
  const addresses = isIP(name) ? [name] : await within(guard.resolve(name), signal);
  const [address] = addresses;
  // One private address among them is enough: the name is not only a public one.
  if (address === undefined || !addresses.every((each) => guard.mayConnect(each, port)))
    throw new NoDocument("its address is not one that this server connects to");
  const target = new URL(url);
  target.hostname = address.includes(":") ? `[${address}]` : address;
  const answer = await fetch(target, {
    redirect: "manual",
    signal,
    headers: { host: url.host, accept: "application/json", "accept-encoding": "identity" },
    // The certificate has to be that of the name. Bun's types do not list the option that says so.
    tls: { serverName: name, ...(guard.authority !== undefined && { ca: guard.authority }) } as BunFetchRequestInitTLS,
  });
  if (answer.status !== 200) {
    void answer.body?.cancel().catch(() => {});
    const message = `it answers with status ${answer.status}`;
    throw isPassing(answer.status) ? new Error(message) : new NoDocument(message);
  }
  const text = decode(await readBounded(answer));
  return { text, cacheControl: answer.headers.get("cache-control") ?? undefined };
}

/** Whether a status says that the server cannot answer now: it is busy, or something behind it is down. */
function isPassing(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new NoDocument("it is not text in UTF-8");
  }
}

async function readBounded(answer: Response): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    bytes += part.byteLength;
    if (bytes > MAX_BYTES) throw new NoDocument("it is too long");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(new Error("its name is not resolved in time")), { once: true });
    promise.then(resolve, reject);
  });
}
