import { isRecord, parseJson } from "../../../json/parse.ts";

/** The longest cursor that is read: that of a page which many servers continue. */
const MAX_CURSOR_CHARS = 64 * 1024;

/** Makes the cursor of a list that some servers continue. It has each one's own, so that nothing has to be remembered. */
export function toCursor(next: ReadonlyMap<string, string>): string | undefined {
  if (next.size === 0) return undefined;
  return Buffer.from(JSON.stringify(Object.fromEntries(next))).toString("base64url");
}

/** Reads the servers' cursors, by prefix, from one that a client sends; undefined for one that no hub has made. */
export function readCursor(cursor: unknown): ReadonlyMap<string, string> | undefined {
  if (typeof cursor !== "string" || cursor.length > MAX_CURSOR_CHARS) return undefined;
  const read = parseJson(Buffer.from(cursor, "base64url").toString());
  if (!isRecord(read)) return undefined;
  const entries = Object.entries(read).flatMap(([prefix, own]): [string, string][] =>
    typeof own === "string" ? [[prefix, own]] : [],
  );
  return entries.length === 0 ? undefined : new Map(entries);
}
