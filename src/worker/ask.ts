import { parseJson } from "../json/parse.ts";
import { errorCode } from "./backend.ts";
import { readAtMost } from "./read-at-most.ts";

export interface AskOptions {
  /** Sent as a bearer token. */
  readonly key: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What a server said to a question of the worker's own. */
export type Answer =
  /** `json` is there only with status 200; `server` is the header of that name. */
  { readonly kind: "answered"; readonly status: number; readonly json: unknown; readonly server: string } | Silence;

export interface Silence {
  readonly kind: "silent";
  readonly reason: string;
  /** There was a connection but no answer in time, which a server that computes may do. */
  readonly isBusy: boolean;
}

/** The largest answer that is read: thousands of models fit, a runaway file does not. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/** Asks a server something that costs it nothing. Never throws; what it says is untrusted. */
export async function ask(url: string, options: AskOptions, method = "GET"): Promise<Answer> {
  const { key, timeoutMs, signal } = options;
  try {
    const response = await fetch(url, {
      method,
      headers: { accept: "application/json", ...(key === undefined ? {} : { authorization: `Bearer ${key}` }) },
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    const { status } = response;
    // More than that is no JSON any more once it is cut, which is all that matters here.
    const { bytes } = await readAtMost(response.body, MAX_ANSWER_BYTES);
    const server = response.headers.get("server") ?? "";
    return { kind: "answered", status, json: status === 200 ? parseJson(bytes.toString()) : undefined, server };
  } catch (error) {
    const code = errorCode(error);
    const isBusy = code === "TimeoutError";
    return { kind: "silent", reason: isBusy ? `no answer within ${timeoutMs} ms` : code, isBusy };
  }
}
