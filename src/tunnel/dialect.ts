import type { ReceiveCredit } from "../wire/credit.ts";
import type { BadFrame, Frame } from "../wire/frame.ts";
import type { Control } from "../wire/worker-messages.ts";
import type { Lane } from "./exchange.ts";

/** The socket under a session: the little of it that a session needs. */
export interface Socket {
  /** `queued`: taken, but pause until `WorkerSession.handleDrain`. `lost`: not taken, the socket is of no more use. */
  send(data: string | Uint8Array): "sent" | "queued" | "lost";
  /** The same, but when it returns the memory is the caller's again. */
  sendNow(data: Uint8Array): "sent" | "queued" | "lost";
  ping(): void;
  close(code: number, reason: string): void;
}

/** What a worker's message means, whatever its dialect. */
export type Incoming =
  | Exclude<Frame, { readonly type: "request" | "request_data" }>
  | BadFrame
  | { readonly type: "control"; readonly control: Control }
  /** To be said in return, at once. */
  | { readonly type: "reply"; readonly text: string }
  | { readonly type: "ignored" };

/** A wire form: decodes what comes, and makes the lanes that exchanges speak through. */
export interface Dialect {
  readonly name: "native" | "legacy";
  /** `isOpen` tells whether an exchange is running: nothing may be held for one that is not. */
  decode(message: string | Uint8Array, isOpen: (id: number) => boolean): Incoming;
  createLane(id: number, wire: Wire): Lane;
  /** Body bytes that the worker takes before its first grant. */
  readonly sendWindow: number;
  /** The largest request body that it can carry. */
  readonly maxRequestBytes: number;
  createReceiveCredit(): ReceiveCredit;
  drainMessage(reason: string, retryAfterMs: number): string | undefined;
  /** Forgets what it held for an exchange. */
  forget(id: number): void;
}

/** What lanes write to. */
export interface Wire {
  hasRoom(): boolean;
  send(data: string | Uint8Array): void;
  /** The same, but when it returns the memory is the caller's again. */
  sendNow(data: Uint8Array): void;
  /** What a lane answers in its peer's place. Not from within `Lane.request`: the exchange is not known yet. */
  receive(incoming: Incoming): void;
}
