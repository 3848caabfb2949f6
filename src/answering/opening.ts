import type { ResetCode } from "../wire/frame.ts";
import type { HeaderPairs, RequestHead } from "../wire/heads.ts";
import type { McpCalled } from "../wire/mcp-call.ts";

/** A backend's answer, as it will travel on the wire. */
export interface Answer {
  readonly status: number;
  /** MUST be pairs that a frame can carry (`isHeaderPairs`), without headers that belong to one hop. */
  readonly headers: HeaderPairs;
  /** The body, as a whole or as it arrives; null for none. */
  readonly body: Uint8Array | ReadableStream<Uint8Array> | null;
  /** Whether the request was changed as its head's `metered` asks: see `ResponseHead`. Absent: no. */
  readonly metered?: boolean;
  /** What was called, for an MCP server: see `ResponseHead`. */
  readonly called?: McpCalled;
}

/** Why a job failed. The message is for people and MUST NOT name an address, a key or a header. */
export interface Failure {
  readonly code: ResetCode;
  readonly message: string;
}

/** The decision about a job, made from its head alone. */
export type Opening =
  | {
      readonly kind: "ask";
      /**
       * Asks the backend. `body` is undefined for none; a stream is read as fast as the backend takes it. Rejects when
       * there is no answer; `ExchangesOptions.toFailure` says what the error means.
       */
      readonly ask: (body: Uint8Array | ReadableStream<Uint8Array> | undefined, signal: AbortSignal) => Promise<Answer>;
      /** Whether the answer, once begun, may be silent for any time: an event stream that only listens. */
      readonly mayFallSilent: boolean;
      /**
       * Whether the answer, if it is an event stream, has no end of its own and does no work: a drain ends it in order
       * instead of waiting for it. Absent: no.
       */
      readonly isListening?: boolean;
    }
  /** The answer is given in the backend's place, as JSON. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: HeaderPairs;
      /** Set if the caller's credential was wrong: see `ResponseHead`. */
      readonly refused?: "token";
      readonly called?: McpCalled;
      readonly body: object;
    }
  /** The exchange is broken off. */
  | ({ readonly kind: "refuse" } & Failure);

/** The program that serves an answering end's jobs. */
export interface Backend {
  open(head: RequestHead): Opening;
}
