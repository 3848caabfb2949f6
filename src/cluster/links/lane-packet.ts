import * as v from "valibot";
import { parseJson } from "../../json/parse.ts";
import { SERVER_ID } from "../../system/server-id.ts";
import type { ServerRun } from "./link-auth.ts";

/**
 * The codec for packets of a lane: `u8 kind · u8 flags · u64 lane · u32 number · payload`, big-endian. A packet that cannot
 * be read is decoded as undefined.
 */

const KINDS = ["open", "accept", "data", "ack", "nack", "close"] as const;
/** The flag of a packet whose message goes on in the next one. */
const FLAG_MORE = 0x01;
const HEADER_BYTES = 14;

/** The most payload bytes of one packet: half of what the bus takes. */
export const MAX_PACKET_PAYLOAD = 128 * 1024;

export type PacketHead =
  | { readonly kind: "open" | "accept" | "close"; readonly number: 0 }
  | { readonly kind: "data"; readonly number: number; readonly hasMore: boolean }
  /** `ack`: all up to this number have arrived. `nack`: this number is the first that is missing. */
  | { readonly kind: "ack" | "nack"; readonly number: number };

export interface Packet {
  readonly kind: (typeof KINDS)[number];
  readonly lane: bigint;
  readonly number: number;
  readonly hasMore: boolean;
  /** A view of the message. */
  readonly payload: Uint8Array;
}

export function encodePacket(lane: bigint, head: PacketHead, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes[0] = KINDS.indexOf(head.kind) + 1;
  bytes[1] = head.kind === "data" && head.hasMore ? FLAG_MORE : 0;
  bytes.writeBigUInt64BE(lane, 2);
  bytes.writeUInt32BE(head.number, 10);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

export function decodePacket(bytes: Uint8Array): Packet | undefined {
  const kind = KINDS[(bytes[0] ?? 0) - 1];
  if (kind === undefined || bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return {
    kind,
    lane: view.getBigUint64(2),
    number: view.getUint32(10),
    hasMore: ((bytes[1] ?? 0) & FLAG_MORE) !== 0,
    payload: bytes.subarray(HEADER_BYTES),
  };
}

/** The payload of an `open` packet. */
export interface LaneOpening {
  readonly from: ServerRun;
  readonly to: ServerRun;
}

const run = v.object({
  id: v.pipe(v.string(), v.regex(SERVER_ID)),
  epoch: v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/)),
});
const opening = v.object({ from: run, to: run });

/** Reads the payload of an `open`; undefined for anything else. */
export function parseOpening(payload: Uint8Array): LaneOpening | undefined {
  if (payload.length > 1024) return undefined;
  const result = v.safeParse(opening, parseJson(Buffer.from(payload).toString()));
  return result.success ? result.output : undefined;
}
