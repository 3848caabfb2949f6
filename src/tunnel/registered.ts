import { VERSION } from "../system/version.ts";
import { MAX_FRAME_BYTES } from "../wire/frame.ts";
import type { Registered } from "../wire/server-messages.ts";
import type { Session } from "./session.ts";

/** The settings of a server that a worker is told. */
export interface ToldSettings {
  readonly serverId: string;
  readonly windowBytes: number;
  readonly pingIntervalMs: number;
}

/** Returns the message by which a worker learns that it has a session. */
export function toRegistered(session: Session, { serverId, windowBytes, pingIntervalMs }: ToldSettings): Registered {
  return {
    type: "registered",
    worker_id: session.worker.id,
    session_id: session.id,
    window: windowBytes,
    max_frame: MAX_FRAME_BYTES,
    ping_interval_ms: pingIntervalMs,
    server_id: serverId,
    server_version: VERSION,
  };
}
