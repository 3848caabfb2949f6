import { createHash } from "node:crypto";

/** The form of `SERVER_ID`. It contains no `~`, which ends the server's part of an id. */
export const SERVER_ID = /^[A-Za-z0-9-]{1,32}$/;

const MAX_CHARS = 32;
const DIGEST_CHARS = 6;

/**
 * Makes a server id of a host name. A name that is too long keeps its beginning and gets a digest of the whole, so that
 * two long names with one beginning give two ids.
 */
export function toServerId(hostName: string): string {
  const safe = hostName.replaceAll(/[^A-Za-z0-9-]+/g, "-").replaceAll(/^-+|-+$/g, "");
  if (safe === "") return "server";
  if (safe.length <= MAX_CHARS) return safe;
  return `${safe.slice(0, MAX_CHARS - DIGEST_CHARS - 1)}-${digest(hostName, "hex").slice(0, DIGEST_CHARS)}`;
}

/** Makes the id of something that lives on one server: `<server>~<id>`. */
export function onServer(serverId: string, id: string): string {
  return `${serverId}~${id}`;
}

/** Makes a short digest of a server's id, by which strangers can tell servers apart without learning their names. */
export function serverMark(serverId: string): string {
  return digest(serverId, "hex").slice(0, MARK_CHARS);
}

const MARK_CHARS = 8;

/** Number of characters in `channelPrefix`. */
export const CHANNEL_PREFIX_CHARS = 4;

/** Makes the beginning of a server's channel ids. It identifies the server without revealing its name to strangers. */
export function channelPrefix(serverId: string): string {
  return digest(serverId, "base64url").slice(0, CHANNEL_PREFIX_CHARS);
}

function digest(text: string, encoding: "hex" | "base64url"): string {
  return createHash("sha256").update(text).digest(encoding);
}
