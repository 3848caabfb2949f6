import { createHash } from "node:crypto";
import { MAX_ID_CHARS } from "../wire/names.ts";

const DIGEST_CHARS = 6;

/**
 * Returns the id of one of several relays of a worker that has joined: the worker's, a dot and the relay's name, with a digest of
 * the name if an id cannot contain it. So relays with different names never replace each other.
 */
export function relayIdOf(workerId: string, name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]/g, "-");
  const id = `${workerId}.${plain}`;
  if (plain === name && id.length <= MAX_ID_CHARS) return id;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, DIGEST_CHARS);
  return `${id.slice(0, MAX_ID_CHARS - DIGEST_CHARS - 1)}-${digest}`;
}
