import type { CancelTimer, Clock } from "../../system/deps.ts";
import type { Channel, ChannelEvents, SendResult } from "./channel.ts";
import { encodePacket, MAX_PACKET_PAYLOAD, type Packet } from "./lane-packet.ts";
import { MAX_MESSAGE_BYTES } from "./socket-channel.ts";

export interface LaneOptions {
  readonly id: bigint;
  readonly clock: Clock;
  /** Publishes one packet to the peer. Returns false if the bus is down. */
  readonly publish: (packet: Uint8Array) => boolean;
  /** Called once, when the lane has ended for any reason. */
  readonly onEnd: () => void;
}

/** The most bytes that are on their way without an acknowledgement. nats-server cuts a connection off at 64 MiB. */
const MAX_WINDOW_BYTES = 8 * 1024 * 1024;
/** The same after a loss, until the peer acknowledges again. */
const LEAST_WINDOW_BYTES = 256 * 1024;
/** The most bytes that are kept in all. Credit bounds the bodies, so this is reached only if the peer reads nothing. */
const MAX_KEPT_BYTES = 4 * MAX_WINDOW_BYTES;
/** Received bytes, and milliseconds, after which the peer gets an acknowledgement. */
const ACK_BYTES = 256 * 1024;
const ACK_MS = 25;
/** The least time between two `nack` packets, and between two repetitions that they cause. */
const NACK_MS = 50;
/** The shortest and the longest wait for an acknowledgement before packets are sent again. */
const RESEND_MS = { least: 300, most: 2000 } as const;
/** How long a peer may acknowledge nothing. A restart of nats-server takes a few seconds. */
const PATIENCE_MS = 15_000;

/**
 * A channel over the bus, which may lose, repeat and reorder what it carries. Each end numbers its packets, acknowledges
 * those of the other end in order, and sends again from the first that is missing. So every message arrives once and in
 * order, or the channel ends.
 */
export class Lane implements Channel {
  readonly kind = "lane";
  readonly id: bigint;
  readonly #options: LaneOptions;
  #events: ChannelEvents | undefined;
  /** Packets without an acknowledgement, the oldest first: the first `#inFlight` of them have been published. */
  #kept: { readonly number: number; readonly bytes: Uint8Array }[] = [];
  #keptBytes = 0;
  #inFlight = 0;
  #inFlightBytes = 0;
  #windowBytes = MAX_WINDOW_BYTES;
  #lastNumber = 0;
  #isQueued = false;
  #resendMs: number = RESEND_MS.least;
  #stopResending: CancelTimer | undefined;
  /** `Clock.elapsed` of the last acknowledgement, or of the first packet after all were acknowledged. */
  #progressAt = 0;
  #resentAt = 0;
  /** The number of the next packet. */
  #wanted = 1;
  #unackedBytes = 0;
  #stopAcking: CancelTimer | undefined;
  #nackedAt = Number.NEGATIVE_INFINITY;
  /** The pieces of a message whose last packet has not come. */
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  #hasEnded = false;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.id = options.id;
  }

  /** Sets the receiver of the lane's events. Called before any packet is taken. */
  start(events: ChannelEvents): void {
    this.#events = events;
  }

  send(message: Uint8Array): SendResult {
    if (this.#hasEnded || this.#keptBytes + message.length > MAX_KEPT_BYTES) return "lost";
    if (this.#kept.length === 0) this.#progressAt = this.#options.clock.elapsed();
    for (let at = 0; at < message.length; at += MAX_PACKET_PAYLOAD) {
      const end = Math.min(at + MAX_PACKET_PAYLOAD, message.length);
      this.#lastNumber += 1;
      const packet = { kind: "data", number: this.#lastNumber, hasMore: end < message.length } as const;
      const bytes = encodePacket(this.id, packet, message.subarray(at, end));
      this.#kept.push({ number: this.#lastNumber, bytes });
      this.#keptBytes += bytes.length;
    }
    this.#publishNext();
    this.#isQueued ||= this.#keptBytes > MAX_WINDOW_BYTES;
    return this.#isQueued ? "queued" : "sent";
  }

  close(reason: string): void {
    if (this.#hasEnded) return;
    this.#options.publish(encodePacket(this.id, { kind: "close", number: 0 }, Buffer.from(reason.slice(0, 200))));
    this.#end();
  }

  cut(): void {
    this.#end();
  }

  /** Takes one packet of the peer. */
  take(packet: Packet): void {
    if (this.#hasEnded) return;
    switch (packet.kind) {
      case "data":
        return this.#takeData(packet.number, packet.hasMore, packet.payload);
      case "ack":
        return this.#takeAck(packet.number);
      case "nack":
        this.#takeAck(packet.number - 1);
        // A late `nack` may name a packet that was acknowledged since.
        return this.#kept[0]?.number === packet.number ? this.#resend() : undefined;
      case "close":
        return this.#break(Buffer.from(packet.payload).toString() || "the peer has closed the lane");
      default:
        return;
    }
  }

  /** Sends again after the bus has come back, because packets may have been lost. */
  wake(): void {
    this.#resentAt = Number.NEGATIVE_INFINITY;
    this.#resend();
  }

  #takeData(number: number, hasMore: boolean, payload: Uint8Array): void {
    if (number !== this.#wanted) {
      // A repeated packet: its acknowledgement may be lost. A packet with a later number: there is a gap.
      if (number < this.#wanted) this.#ackSoon();
      else this.#nack();
      return;
    }
    this.#wanted += 1;
    this.#unackedBytes += payload.length;
    if (this.#unackedBytes >= ACK_BYTES) this.#ack();
    else this.#ackSoon();
    this.#join(payload, hasMore);
  }

  #join(payload: Uint8Array, hasMore: boolean): void {
    if (!hasMore && this.#pieces.length === 0) return this.#events?.onMessage(payload);
    this.#piecesBytes += payload.length;
    if (this.#piecesBytes > MAX_MESSAGE_BYTES) return this.#break("a message that is too large");
    this.#pieces.push(payload);
    if (hasMore) return;
    const message = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#piecesBytes = 0;
    this.#events?.onMessage(message);
  }

  #takeAck(number: number): void {
    let count = 0;
    for (let kept = this.#kept[count]; kept && kept.number <= number; kept = this.#kept[count]) {
      this.#keptBytes -= kept.bytes.length;
      if (count < this.#inFlight) this.#inFlightBytes -= kept.bytes.length;
      count += 1;
    }
    if (count === 0) return;
    this.#kept.splice(0, count);
    this.#inFlight = Math.max(0, this.#inFlight - count);
    this.#progressAt = this.#options.clock.elapsed();
    this.#resendMs = RESEND_MS.least;
    this.#windowBytes = Math.min(2 * this.#windowBytes, MAX_WINDOW_BYTES);
    if (this.#kept.length === 0) this.#stopTimer();
    this.#publishNext();
    if (!this.#isQueued || this.#keptBytes > MAX_WINDOW_BYTES / 2) return;
    this.#isQueued = false;
    this.#events?.onDrain();
  }

  /** Publishes what the window allows. */
  #publishNext(): void {
    for (let next = this.#kept[this.#inFlight]; next; next = this.#kept[this.#inFlight]) {
      if (this.#inFlight > 0 && this.#inFlightBytes + next.bytes.length > this.#windowBytes) break;
      // While the bus is down, `wake` or the timer tries again.
      if (!this.#options.publish(next.bytes)) break;
      this.#inFlight += 1;
      this.#inFlightBytes += next.bytes.length;
    }
    if (this.#kept.length > 0)
      this.#stopResending ??= this.#options.clock.every(RESEND_MS.least / 3, () => this.#look());
  }

  #look(): void {
    const now = this.#options.clock.elapsed();
    if (now - this.#progressAt > PATIENCE_MS) return this.#break("the peer acknowledges nothing");
    if (now - Math.max(this.#progressAt, this.#resentAt) < this.#resendMs) return;
    this.#resendMs = Math.min(2 * this.#resendMs, RESEND_MS.most);
    this.#resend();
  }

  /** Publishes again from the first packet that is not acknowledged. */
  #resend(): void {
    const now = this.#options.clock.elapsed();
    // Several `nack` packets arrive for one gap.
    if (this.#kept.length === 0 || now - this.#resentAt < NACK_MS) return;
    this.#resentAt = now;
    this.#windowBytes = LEAST_WINDOW_BYTES;
    this.#inFlight = 0;
    this.#inFlightBytes = 0;
    this.#publishNext();
  }

  #nack(): void {
    const now = this.#options.clock.elapsed();
    if (now - this.#nackedAt < NACK_MS) return;
    this.#nackedAt = now;
    this.#options.publish(encodePacket(this.id, { kind: "nack", number: this.#wanted }));
  }

  #ackSoon(): void {
    this.#stopAcking ??= this.#options.clock.after(ACK_MS, () => this.#ack());
  }

  #ack(): void {
    this.#stopAcking?.();
    this.#stopAcking = undefined;
    this.#unackedBytes = 0;
    this.#options.publish(encodePacket(this.id, { kind: "ack", number: this.#wanted - 1 }));
  }

  #break(reason: string): void {
    if (this.#hasEnded) return;
    this.#end();
    this.#events?.onClosed(reason);
  }

  #stopTimer(): void {
    this.#stopResending?.();
    this.#stopResending = undefined;
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stopTimer();
    this.#stopAcking?.();
    this.#kept = [];
    this.#keptBytes = 0;
    this.#pieces = [];
    this.#options.onEnd();
  }
}
