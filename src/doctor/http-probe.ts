import { errorCode } from "../worker/backend.ts";
import { readAtMost } from "../worker/read-at-most.ts";

/** A whole answer, as much of it as matters. */
export interface Reply {
  readonly kind: "reply";
  readonly status: number;
  readonly headers: Headers;
  /** At most `maxBytes` of it. */
  readonly text: string;
  readonly elapsedMs: number;
}

/** No answer: a code of the system, `TimeoutError`, or `cut` for a connection that broke off. */
export interface NoReply {
  readonly kind: "none";
  readonly code: string;
  readonly elapsedMs: number;
}

export interface ProbeOptions {
  readonly signal: AbortSignal;
  /** Sent as a bearer token. */
  readonly key?: string | undefined;
  readonly method?: string;
  readonly json?: object | undefined;
  /** How long the whole answer may take. */
  readonly timeoutMs?: number;
  /** How much of the answer is read; more is left. */
  readonly maxBytes?: number;
}

/** A server that has not answered something small by then will not. */
const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 * 1024;

/** Asks over a connection of its own, follows no redirect, and never throws. What comes is untrusted. */
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

/** The answer as soon as its head is there; throws where there is none. */
export function send(
  url: string,
  { signal, key, method = "GET", json, timeoutMs = TIMEOUT_MS }: ProbeOptions,
): Promise<Response> {
  return fetch(url, {
    method,
    headers: {
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...(json === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    redirect: "manual",
    // Each finds a server of its own, where there are several behind one address.
    keepalive: false,
    timeout: false,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
}
