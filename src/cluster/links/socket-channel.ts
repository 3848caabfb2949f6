import type { ServerWebSocket } from "bun";
import type { CancelTimer, Clock } from "../../system/deps.ts";
import { MAX_FRAME_BYTES } from "../../wire/frame.ts";
import type { Channel, ChannelEvents, SendResult } from "./channel.ts";

/** The largest message of a link: what a batch holds, and one frame of the largest size. */
export const MAX_MESSAGE_BYTES = 2 * MAX_FRAME_BYTES;

/**
 * The most bytes that wait for a peer which reads too slowly. The credit of the exchanges bounds what is sent, and a peer that
 * gives no sign of life is cut off much sooner; beyond this the link ends.
 */
export const MAX_WAITING_BYTES = 256 * 1024 * 1024;

/** Sending pauses above the first number of waiting bytes, and continues below the second. */
const FULL_BYTES = 1024 * 1024;
const DRAINED_BYTES = 256 * 1024;
/** How often a congested dialled socket is checked, because Bun's client has no event for it. */
const POLL_MS = 5;
/** How long the last bytes may take to leave before the socket is cut. */
const FLUSH_MS = 2000;
/** The most bytes of a reason in a close frame (RFC 6455 §5.5). */
const MAX_REASON_BYTES = 123;
const NORMAL = 1000;

/** What Bun keeps with each socket that was accepted. */
export interface AcceptedData {
  /** Called when the socket is open. Returns the owner of its events. */
  readonly open: (channel: Channel) => ChannelEvents;
  events?: ChannelEvents;
}
export type AcceptedSocket = ServerWebSocket<AcceptedData>;

/** Wraps a socket that a peer has dialled. */
export function acceptedChannel(ws: AcceptedSocket): Channel {
  return {
    kind: "direct",
    send(message): SendResult {
      const result = ws.sendBinary(message);
      if (result > 0) return "sent";
      if (result === 0) return "lost";
      return ws.getBufferedAmount() > FULL_BYTES ? "queued" : "sent";
    },
    close(reason) {
      ws.close(NORMAL, shortened(reason));
    },
    cut() {
      ws.terminate();
    },
  };
}

/** Whether a socket that a peer has dialled has room again. */
export function hasDrained(ws: AcceptedSocket): boolean {
  return ws.getBufferedAmount() <= DRAINED_BYTES;
}

/** Wraps a socket that this server has dialled and that is open. */
export class DialledChannel implements Channel {
  readonly kind = "direct";
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #onDrain: () => void;
  #cancelPoll: CancelTimer | undefined;

  constructor(socket: WebSocket, clock: Clock, onDrain: () => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onDrain = onDrain;
  }

  send(message: Uint8Array): SendResult {
    // Messages are never in shared memory, which the DOM's type rules out.
    this.#socket.send(message as Uint8Array<ArrayBuffer>);
    const waiting = this.#socket.bufferedAmount;
    if (waiting > MAX_WAITING_BYTES || this.#socket.readyState !== WebSocket.OPEN) return "lost";
    if (waiting <= FULL_BYTES) return "sent";
    this.#cancelPoll ??= this.#clock.every(POLL_MS, () => this.#poll());
    return "queued";
  }

  close(reason: string): void {
    this.#stopPolling();
    const cancel = this.#clock.after(FLUSH_MS, () => this.#socket.terminate());
    this.#socket.addEventListener("close", cancel);
    this.#socket.close(NORMAL, shortened(reason));
  }

  cut(): void {
    this.#stopPolling();
    this.#socket.terminate();
  }

  /** The socket has closed. */
  handleClosed(): void {
    this.#stopPolling();
  }

  #poll(): void {
    if (this.#socket.bufferedAmount > DRAINED_BYTES) return;
    this.#stopPolling();
    this.#onDrain();
  }

  #stopPolling(): void {
    this.#cancelPoll?.();
    this.#cancelPoll = undefined;
  }
}

/** Cuts a reason to what a close frame takes. */
function shortened(reason: string): string {
  return Buffer.from(reason)
    .subarray(0, MAX_REASON_BYTES)
    .toString()
    .replace(/\ufffd+$/, "");
}
