/** The length of a small response in characters, the same for a tool call and a chat. */
export const SMALL_CHARS = 400;
/** The bytes of text in the large result. */
export const LARGE_BYTES = 10 * 2 ** 20;

/** The URL and headers of calls, as a client sends them. */
export interface CallTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export type CallQuestion =
  /** Small calls, one after the other. */
  | { readonly kind: "small"; readonly target: CallTarget; readonly body: string; readonly count: number }
  /** Calls that `upstream` holds until all have arrived; then `meanwhile` small calls, one after the other; then the release. */
  | {
      readonly kind: "held";
      readonly target: CallTarget;
      readonly upstream: string;
      readonly count: number;
      readonly meanwhile: number;
    }
  /** One call with the large result. */
  | { readonly kind: "large"; readonly target: CallTarget };

export interface SmallAnswer {
  /** Milliseconds from the request to the complete response. */
  readonly p50: number;
  readonly p99: number;
}

export interface HeldAnswer {
  /** The durations of the calls made meanwhile. */
  readonly meanwhile: SmallAnswer;
  /** Milliseconds from the release to the last response. */
  readonly slowest: number;
}

export interface LargeAnswer {
  readonly milliseconds: number;
  readonly bytes: number;
}

/** A `tools/call` as a client sends it. */
export function toolCall(name: string, args: object = {}): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } });
}
