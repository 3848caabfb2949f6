import type { LegacyLimits } from "../../src/models/legacy-worker.ts";
import { RequestRoom } from "../../src/models/request-room.ts";

const MAX_REQUEST_BYTES = 64 * 1024 * 1024;

/** The limits of a legacy dialect that holds so many bytes of an answer. */
export function legacyLimits(holdBytes: number): LegacyLimits {
  return { holdBytes, maxRequestBytes: MAX_REQUEST_BYTES, room: new RequestRoom(MAX_REQUEST_BYTES) };
}
