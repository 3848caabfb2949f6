import type { ByteReader } from "./byte-reader.ts";
import type { SendCredit } from "./credit.ts";
import { MAX_DATA_BYTES } from "./frame.ts";
import { Inflow } from "./inflow.ts";

/** A whole body, or one that arrives in pieces. */
export type Body = Uint8Array | ReadableStream<Uint8Array>;

/** The body of a request: as above, or on its way from another link. */
export type RequestBody = Body | Inflow;

/** The receiver of a pump's bytes. */
export interface PumpOutlet {
  /** False while the socket is congested. The owner MUST call `resume` when it has drained. */
  hasRoom(): boolean;
  send(bytes: Uint8Array, end: boolean): void;
  /** Called when the source failed: the body can never be completed. */
  fail(error: unknown): void;
}

/** Bytes per frame: enough that frames cost little, few enough that exchanges take turns on one socket. */
export const SLICE_BYTES = Math.min(128 * 1024, MAX_DATA_BYTES);

/**
 * Sends one body in order, as far as credit and socket allow, with `end` on its last piece. It stops reading its source while
 * it may not send, so it never holds more than one piece.
 */
export class BodyPump {
  readonly #credit: SendCredit;
  readonly #outlet: PumpOutlet;
  readonly #reader: ByteReader | undefined;
  readonly #inflow: Inflow | undefined;
  #piece: Uint8Array | undefined;
  #sourceDone: boolean;
  #reading = false;
  #ended = false;

  constructor(body: RequestBody, credit: SendCredit, outlet: PumpOutlet) {
    this.#credit = credit;
    this.#outlet = outlet;
    this.#sourceDone = body instanceof Uint8Array;
    if (body instanceof Uint8Array) this.#piece = body;
    else if (body instanceof Inflow) {
      this.#inflow = body;
      body.read(() => this.resume());
    } else this.#reader = body.getReader();
  }

  /** Whether the body has been sent or given up. */
  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Sends as much as is allowed now. Call it to start, after a grant, and when the socket has drained. */
  resume(): void {
    while (!this.#ended) {
      if (this.#piece === undefined) {
        if (this.#sourceDone) return this.#send(new Uint8Array(0), true);
        if (!this.#inflow) return this.#read();
        if (!this.#takeFrom(this.#inflow)) return;
        continue;
      }
      if (this.#piece.length > 0 && (this.#credit.left <= 0 || !this.#outlet.hasRoom())) return;
      const bytes = Math.min(this.#piece.length, Math.max(0, this.#credit.left), SLICE_BYTES);
      const isWhole = bytes === this.#piece.length;
      const slice = isWhole ? this.#piece : this.#piece.subarray(0, bytes);
      this.#piece = isWhole ? undefined : this.#piece.subarray(bytes);
      if (isWhole && slice.length === 0 && !this.#sourceDone) continue;
      this.#credit.spend(bytes);
      this.#send(slice, isWhole && this.#sourceDone);
    }
  }

  /** Ends the body in order after the piece that is being sent, and cancels a streaming source with `reason`. */
  finish(reason: string): void {
    if (this.#ended) return;
    this.#sourceDone = true;
    this.#inflow?.drop();
    // If the source fails while it is being cancelled, that failure no longer matters.
    this.#reader?.cancel(reason).catch(() => {});
    this.resume();
  }

  /** Gives up the body; cancels a streaming source with `reason`. */
  stop(reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#piece = undefined;
    this.#inflow?.drop();
    // If the source fails while it is being given up, that failure no longer matters.
    this.#reader?.cancel(reason).catch(() => {});
  }

  #send(bytes: Uint8Array, end: boolean): void {
    if (end) this.#ended = true;
    this.#outlet.send(bytes, end);
  }

  /** Takes the next piece. Returns false if nothing has arrived since the last one. */
  #takeFrom(inflow: Inflow): boolean {
    this.#piece = inflow.take();
    this.#sourceDone = inflow.isDone;
    return this.#piece !== undefined || this.#sourceDone;
  }

  #read(): void {
    if (this.#reading || this.#reader === undefined) return;
    this.#reading = true;
    this.#reader.read().then(
      ({ done, value }) => {
        this.#reading = false;
        if (this.#ended) return;
        if (done) this.#sourceDone = true;
        else this.#piece = value;
        this.resume();
      },
      (error) => {
        this.#reading = false;
        if (this.#ended) return;
        this.#ended = true;
        this.#outlet.fail(error);
      },
    );
  }
}
