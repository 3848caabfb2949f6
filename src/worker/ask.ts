import { parseJson } from "../json/parse.ts";
import { errorCode } from "./backend.ts";

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
    const text = await readText(response);
    const server = response.headers.get("server") ?? "";
    return { kind: "answered", status, json: status === 200 ? parseJson(text) : undefined, server };
  } catch (error) {
    const code = errorCode(error);
    const isBusy = code === "TimeoutError";
    return { kind: "silent", reason: isBusy ? `no answer within ${timeoutMs} ms` : code, isBusy };
  }
}

/** At most `MAX_ANSWER_BYTES` of it; more than that is not JSON any more when cut, which is all that matters here. */
async function readText(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > MAX_ANSWER_BYTES) break;
  }
  return Buffer.concat(pieces).subarray(0, MAX_ANSWER_BYTES).toString();
}
