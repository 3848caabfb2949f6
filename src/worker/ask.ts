import { parseJson } from "../json/parse.ts";
import { errorCode } from "./backend.ts";
import type { ProxyChoice } from "./outgoing-proxy.ts";
import { readAtMost } from "./read-at-most.ts";

export interface AskOptions {
  /** The bearer token to send; undefined for none. */
  readonly key: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly proxyFor: ProxyChoice;
}

/** A server's reply to a question that the worker itself asked. */
export type Answer =
  /** `json` is set only with status 200; `server` is the header of that name, or empty. */
  { readonly kind: "answered"; readonly status: number; readonly json: unknown; readonly server: string } | Silence;

export interface Silence {
  readonly kind: "silent";
  readonly reason: string;
  /** Whether there was a connection but no answer in time, as with a server that is computing. */
  readonly isBusy: boolean;
}

/** The largest answer that is read: enough for thousands of models, too little for a runaway file. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Asks a server something that costs it nothing. Never rejects. The reply is untrusted. */
export async function ask(url: string, options: AskOptions, method = "GET"): Promise<Answer> {
  const { timeoutMs } = options;
  try {
    const response = await send(url, options, method, "application/json");
    const { status } = response;
    // A longer answer is cut, and then is not JSON any more.
    const { bytes } = await readAtMost(response.body, MAX_ANSWER_BYTES);
    const server = response.headers.get("server") ?? "";
    return { kind: "answered", status, json: status === 200 ? parseJson(bytes.toString()) : undefined, server };
  } catch (error) {
    const code = errorCode(error);
    const isBusy = code === "TimeoutError";
    return { kind: "silent", reason: isBusy ? `no answer within ${timeoutMs} ms` : code, isBusy };
  }
}

/** Asks a server for text; undefined if it has none. Never rejects. The reply is untrusted, and may be cut. */
export async function askText(url: string, options: AskOptions): Promise<string | undefined> {
  try {
    const response = await send(url, options, "GET", "text/plain");
    const { bytes } = await readAtMost(response.body, MAX_ANSWER_BYTES);
    return response.status === 200 ? bytes.toString() : undefined;
  } catch {
    return undefined;
  }
}

function send(
  url: string,
  { key, timeoutMs, signal, proxyFor }: AskOptions,
  method: string,
  accept: string,
): Promise<Response> {
  return fetch(url, {
    method,
    headers: { accept, ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
    redirect: "manual",
    proxy: proxyFor(url),
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  });
}
