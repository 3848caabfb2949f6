import { errorCode } from "../worker/backend.ts";
import { readAtMost } from "../worker/read-at-most.ts";

/** An answer that arrived, with as much of its body as was asked for. */
export interface Reply {
  readonly kind: "reply";
  readonly status: number;
  readonly headers: Headers;
  /** At most `maxBytes` of the body. */
  readonly text: string;
  readonly elapsedMs: number;
}

/** No answer. `code` is the system's error code, or `TimeoutError`. */
export interface NoReply {
  readonly kind: "none";
  readonly code: string;
  readonly elapsedMs: number;
}

export interface ProbeOptions {
  readonly signal: AbortSignal;
  /** The target's. */
  readonly proxy: string | false;
  /** The bearer token to send; undefined for none. */
  readonly key?: string | undefined;
  readonly method?: string;
  readonly json?: object | undefined;
  /** How long the whole answer may take. */
  readonly timeoutMs?: number;
  /** How much of the body is read; the rest is cancelled. */
  readonly maxBytes?: number;
}

/** How long a small request may take. */
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;

/** Sends a request over a new connection and follows no redirect. Never rejects. The answer is untrusted. */
export async function probe(url: string, options: ProbeOptions): Promise<Reply | NoReply> {
  const { maxBytes = MAX_BYTES } = options;
  const startedAt = performance.now();
  const elapsed = (): number => Math.round(performance.now() - startedAt);
  try {
    const response = await send(url, options);
    const { status, headers } = response;
    const { bytes } = await readAtMost(response.body, maxBytes);
    return { kind: "reply", status, headers, text: bytes.toString(), elapsedMs: elapsed() };
  } catch (error) {
    return { kind: "none", code: errorCode(error), elapsedMs: elapsed() };
  }
}

/** Sends a request and resolves once the head of the answer has arrived; rejects when there is none. */
export function send(
  url: string,
  { signal, proxy, key, method = "GET", json, timeoutMs = TIMEOUT_MS }: ProbeOptions,
): Promise<Response> {
  return fetch(url, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(json === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    redirect: "manual",
    proxy,
    // Each request may reach another server, if there are several behind one address.
    keepalive: false,
    timeout: false,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
}
