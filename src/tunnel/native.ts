import { parseJson } from "../json/parse.ts";
import { ReceiveCredit } from "../wire/credit.ts";
import {
  decodeFrame,
  encodeCredit,
  encodeRequest,
  encodeRequestData,
  encodeRequestDataInto,
  encodeReset,
  HEADER_BYTES,
  type ResetCode,
} from "../wire/frame.ts";
import type { RequestHead } from "../wire/heads.ts";
import { SLICE_BYTES } from "../wire/pump.ts";
import type { Drain, Handover, Terms } from "../wire/server-messages.ts";
import { parseControl } from "../wire/worker-messages.ts";
import type { Dialect, Incoming, Wire } from "./dialect.ts";
import type { Lane } from "./exchange.ts";

/**
 * From this size on, data frames are written to shared memory and sent at once. New memory for each frame would cost more
 * than the copy: the system has to map and clear its pages.
 */
const LARGE_BODY_BYTES = 16 * 1024;

/** Creates the memory in which all sessions of an endpoint write their large frames, one after the other. */
export function createFrameMemory(): Buffer {
  return Buffer.allocUnsafe(HEADER_BYTES + SLICE_BYTES);
}

/** Creates the native dialect as the server speaks it: binary frames with credit, and JSON text for control messages. */
export function createNativeDialect(windowBytes: number, frameMemory = createFrameMemory()): Dialect {
  return {
    name: "native",
    sendWindow: windowBytes,
    maxRequestBytes: Number.POSITIVE_INFINITY,
    createReceiveCredit: () => new ReceiveCredit(windowBytes),
    decode: (message) => (typeof message === "string" ? decodeText(message) : decodeBinary(message)),
    createLane: (id, wire) => new NativeLane(id, wire, frameMemory),
    drainMessage: (reason, retry_after_ms) => {
      const drain: Drain = { type: "drain", reason, retry_after_ms };
      return JSON.stringify(drain);
    },
    handoverMessage: (reason, retry_after_ms) => {
      const handover: Handover = { type: "handover", reason, retry_after_ms };
      return JSON.stringify(handover);
    },
    termsMessage: (said) => {
      const terms: Terms = { type: "terms", ...said };
      return JSON.stringify(terms);
    },
    forget: () => {},
  };
}

class NativeLane implements Lane {
  readonly #id: number;
  readonly #wire: Wire;
  readonly #frameMemory: Buffer;

  constructor(id: number, wire: Wire, frameMemory: Buffer) {
    this.#id = id;
    this.#wire = wire;
    this.#frameMemory = frameMemory;
  }

  hasRoom(): boolean {
    return this.#wire.hasRoom();
  }

  request(head: RequestHead, body: Uint8Array, end: boolean): void {
    this.#wire.send(encodeRequest(this.#id, head, body, end));
  }

  data(body: Uint8Array, end: boolean): void {
    if (body.length < LARGE_BODY_BYTES || body.length > SLICE_BYTES)
      this.#wire.send(encodeRequestData(this.#id, body, end));
    else this.#wire.sendNow(encodeRequestDataInto(this.#frameMemory, this.#id, body, end));
  }

  credit(bytes: number): void {
    this.#wire.send(encodeCredit(this.#id, bytes));
  }

  reset(code: ResetCode, message: string): boolean {
    this.#wire.send(encodeReset(this.#id, code, message));
    return true;
  }
}

function decodeBinary(message: Uint8Array): Incoming {
  const frame = decodeFrame(message);
  // Only the server may send requests.
  if (frame.type === "request" || frame.type === "request_data")
    return { type: "bad", reason: `a worker sent ${frame.type}` };
  return frame;
}

/** Decodes the JSON text that follows the first message. */
export function decodeText(message: string): Incoming {
  const control = parseControl(parseJson(message));
  switch (control.type) {
    case "unknown":
      return { type: "ignored" };
    case "bad":
      return { type: "bad", reason: control.reason };
    default:
      return { type: "control", control };
  }
}
