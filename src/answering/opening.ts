import type { HeaderPairs, RequestHead, ResetCode } from "../wire/frame.ts";

/** What becomes of a job, decided from its head alone. */
export type Opening =
  | {
      readonly kind: "ask";
      /** Asks the backend. `body` is undefined for none; a stream is read as fast as the backend takes it. */
      readonly ask: (
        body: Uint8Array | ReadableStream<Uint8Array> | undefined,
        signal: AbortSignal,
      ) => Promise<Response>;
      /** Its answer may be silent for as long as it likes once it has begun: an event stream that listens. */
      readonly mayFallSilent: boolean;
    }
  /** The worker answers in the backend's place, with JSON. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers?: HeaderPairs;
      readonly body: object;
    }
  /** The exchange is broken off. */
  | { readonly kind: "refuse"; readonly code: ResetCode; readonly message: string };

/** Whatever serves a worker's jobs. */
export interface Backend {
  open(head: RequestHead): Opening;
}
