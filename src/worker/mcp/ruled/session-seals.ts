import { createHmac, timingSafeEqual } from "node:crypto";

/** Binds the ids of MCP sessions to callers, so that nobody can use the session of another caller by knowing its id. */
export interface SessionSeals {
  /** The id that the caller gets in place of the MCP server's. */
  seal(session: string, caller: string): string;
  /** The MCP server's id; undefined for one that this caller was not given. */
  open(sealed: string, caller: string): string | undefined;
}

/** 128 bits, which cannot be guessed. */
const TAG_BYTES = 16;

/** The seals take no memory, and hold for as long as `secret` stays the same. */
export function createSessionSeals(secret: string): SessionSeals {
  const tagOf = (session: string, caller: string): string =>
    createHmac("sha256", `moorage session ${secret}`)
      // The two texts cannot be taken for two others that join to the same text.
      .update(JSON.stringify([caller, session]))
      .digest()
      .subarray(0, TAG_BYTES)
      .toString("base64url");
  return {
    seal: (session, caller) => `${session}.${tagOf(session, caller)}`,
    open(sealed, caller) {
      const at = sealed.lastIndexOf(".");
      if (at === -1) return undefined;
      const session = sealed.slice(0, at);
      const given = Buffer.from(sealed.slice(at + 1));
      const wanted = Buffer.from(tagOf(session, caller));
      return given.length === wanted.length && timingSafeEqual(given, wanted) ? session : undefined;
    },
  };
}
