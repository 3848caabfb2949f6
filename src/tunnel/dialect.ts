import type { ReceiveCredit } from "../wire/credit.ts";
import type { BadFrame, Frame } from "../wire/frame.ts";
import type { Terms } from "../wire/server-messages.ts";
import type { Control } from "../wire/worker-messages.ts";
import type { Lane } from "./exchange.ts";
import type { HoldLimits } from "./held-exchange.ts";

/**
 * The part of a socket that a session needs. What became of sent bytes is reported to `WorkerSession.handleSendResult`,
 * during the call or later: `queued` when sending should pause until `handleDrain`, `lost` when the socket is of no more
 * use.
 */
export interface Socket {
  send(data: string | Uint8Array): void;
  /** Like `send`, but the caller may reuse the memory as soon as it returns. */
  sendNow(data: Uint8Array): void;
  ping(): void;
  close(code: number, reason: string): void;
}

/** The meaning of a worker's message, the same for all dialects. */
export type Incoming =
  | Exclude<Frame, { readonly type: "request" | "request_data" }>
  | BadFrame
  | { readonly type: "control"; readonly control: Control }
  /** The worker is owed this answer at once. */
  | { readonly type: "reply"; readonly text: string }
  | { readonly type: "ignored" };

/** A wire form: decodes messages, and creates the lanes through which exchanges send. */
export interface Dialect {
  readonly name: "native" | "legacy";
  /** Decodes one message. `isOpen` tells whether an exchange runs; nothing may be kept for one that does not. */
  decode(message: string | Uint8Array, isOpen: (id: number) => boolean): Incoming;
  createLane(id: number, wire: Wire): Lane;
  /** Body bytes that may be sent to the worker before its first grant. */
  readonly sendWindow: number;
  /** The largest request whose whole body goes with its head, without any grant; `sendWindow` unless given. */
  readonly wholeBytes?: number;
  /** The largest request body that the dialect can carry. */
  readonly maxRequestBytes: number;
  createReceiveCredit(): ReceiveCredit;
  /** The interval in milliseconds of the worker's own heartbeats; undefined if nothing is known of it. */
  readonly beatsEveryMs?: number;
  /** What is held of answers for slow clients, in a dialect whose workers cannot be told to wait. */
  readonly hold?: HoldLimits | undefined;
  /** Returns the message that announces a drain; undefined for a dialect that has none. */
  drainMessage(reason: string, retryAfterMs: number): string | undefined;
  /** Returns the message that announces a handover; undefined for a dialect that has none. */
  handoverMessage(reason: string, retryAfterMs: number): string | undefined;
  /** Returns the message that tells a worker what its key allows; undefined for a dialect that has none. */
  termsMessage?(terms: Omit<Terms, "type">): string;
  /** Drops what is kept for an exchange. */
  forget(id: number): void;
}

/** The part of a session to which lanes write. */
export interface Wire {
  hasRoom(): boolean;
  send(data: string | Uint8Array): void;
  /** Like `send`, but the caller may reuse the memory as soon as it returns. */
  sendNow(data: Uint8Array): void;
  /**
   * Takes an answer that a lane gives in the worker's place. MUST NOT be called during `Lane.request`: the exchange is
   * not known yet.
   */
  receive(incoming: Incoming): void;
  /** Lets an exchange send more, after its lane had no room for a reason of its own. */
  resume(id: number): void;
}
