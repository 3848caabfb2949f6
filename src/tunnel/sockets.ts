import type { ServerWebSocket } from "bun";
import { CLOSES, type Close } from "../wire/closes.ts";
import { MAX_FRAME_BYTES } from "../wire/frame.ts";
import type { Socket } from "./dialect.ts";
import { Outbox } from "./outbox.ts";

/** Turns requests into WebSockets: the part of the HTTP listener that an endpoint needs. */
export interface Upgrader {
  /** Upgrades the request and gives the socket `data`, its handlers. Returns false for a request that cannot be upgraded. */
  upgrade(request: Request, options: { readonly data: unknown; readonly headers?: Record<string, string> }): boolean;
}

/** The handlers of one socket's events. Bun keeps them in `ws.data`, so sockets of different uses share one listener. */
export interface SocketHandlers {
  open(ws: WorkerSocket): void;
  message(ws: WorkerSocket, message: string | Buffer): void;
  /** Called when bytes have left a congested socket; `hasDrained` tells whether it can take more. */
  drain(ws: WorkerSocket): void;
  pong(): void;
  close(ws: WorkerSocket, code: number, reason: string): void;
}
export type WorkerSocket = ServerWebSocket<SocketHandlers>;

/** The largest message that is read: twice the frame limit, so that a frame over the limit can be refused with a reason. */
export const MAX_MESSAGE_BYTES = 2 * MAX_FRAME_BYTES;

/**
 * Returns Bun's options for all WebSockets of the server. The tunnel judges liveness itself, so Bun's pings and idle
 * timeout are off. The send queue has room for the largest legacy request, whose `largestBodyBytes` travel in one message
 * of base64, beside what is queued already. `largestBytes` is the longest message that any plugin's workers may send: Bun
 * has one limit for all sockets, and each endpoint enforces its own below it. Announcing a long message reserves address
 * space and no memory (Bun 1.4.5).
 */
export function websocketOptions(largestBytes: number, largestBodyBytes: number) {
  return {
    idleTimeout: 0,
    sendPings: false,
    maxPayloadLength: Math.max(MAX_MESSAGE_BYTES, largestBytes),
    backpressureLimit: Math.ceil((largestBodyBytes * 4) / 3) + 128 * 1024 * 1024,
  } as const;
}

/** Below this a socket counts as drained: enough is left to keep the line busy until the sources have refilled it. */
const DRAINED_BYTES = 64 * 1024;

/** Returns whether a socket that was congested has room again. */
export function hasDrained(ws: WorkerSocket): boolean {
  return ws.getBufferedAmount() <= DRAINED_BYTES;
}

/** Wraps Bun's socket for a session. `onResult` is called for every send that was queued or lost. */
export function createSocket(ws: WorkerSocket, onResult: (result: "queued" | "lost") => void): Socket {
  const outbox = new Outbox({ send: (data) => ws.send(data), cork: (write) => ws.cork(write) }, onResult);
  return {
    send: (data) => outbox.send(data),
    sendNow: (data) => outbox.sendNow(data),
    ping: () => ws.ping(),
    close(code, reason) {
      // Data that was sent before the close must arrive before it.
      outbox.flush();
      closeSocket(ws, { code, reason });
    },
  };
}

/**
 * Closes a socket. The reason is cut at 123 bytes, the most that a close frame takes (RFC 6455 §5.5). A peer that gave no
 * sign of life gets no close frame: it would not arrive.
 */
export function closeSocket(ws: WorkerSocket, { code, reason }: Close): void {
  if (code === CLOSES.no_sign_of_life.code) ws.terminate();
  else
    ws.close(
      code,
      Buffer.from(reason)
        .subarray(0, 123)
        .toString()
        .replace(/\ufffd+$/, ""),
    );
}
