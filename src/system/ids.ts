import { randomBytes } from "node:crypto";
import type { Ids } from "./deps.ts";

/** Ids from the system's random source. A request id is time-ordered (UUID v7), so log lines sort by it. */
export const systemIds: Ids = {
  request: () => `req_${Bun.randomUUIDv7("base64url")}`,
  secret: () => randomBytes(16).toString("base64url"),
};
