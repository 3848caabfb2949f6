import { encodeReset, encodeResponse, encodeResponseData } from "../../src/wire/frame.ts";
import type { SessionRig } from "./session.ts";

const NOTHING = new Uint8Array(0);

/** Returns what a worker says of its exchanges in native frames. `hear` lets the session hear a frame. */
export function frameWorker(
  hear: (bytes: Uint8Array) => void,
): Pick<SessionRig["worker"], "head" | "data" | "end" | "breakOff" | "confirm"> {
  return {
    head: (nth, headers = []) => hear(encodeResponse(nth, { status: 200, headers }, NOTHING, false)),
    data: (nth, bytes) => hear(encodeResponseData(nth, bytes, false)),
    end: (nth) => hear(encodeResponseData(nth, NOTHING, true)),
    breakOff: (nth) => hear(encodeReset(nth, "upstream_error", "it failed")),
    confirm: (nth) => hear(encodeReset(nth, "canceled", "canceled")),
  };
}
