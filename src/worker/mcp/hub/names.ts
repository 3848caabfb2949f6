import { createHash } from "node:crypto";

// The names of tools and prompts behind a hub: the server's prefix, two underscores, and the server's own name for it.

const SEPARATOR = "__";
/** The longest name that models' providers take. Clients add a prefix of their own, but not all of them. */
const MAX_NAME_CHARS = 64;
const MAX_PREFIX_CHARS = 24;
const DIGEST_CHARS = 8;
/** The end of a name that was shortened. */
const SHORTENED = new RegExp(`_[0-9a-f]{${DIGEST_CHARS}}$`);

/**
 * Returns a prefix for each server of a file, in order. It has letters, digits, `-` and single `_` only, so that the first two
 * underscores of a name end it, and it depends on no other server unless two would have the same.
 */
export function prefixesFor(keys: readonly string[]): readonly string[] {
  const plain = keys.map(safe);
  return keys.map((key, at) => {
    const own = plain[at] ?? "";
    const isTaken = own === "" || plain.some((other, index) => other === own && index !== at);
    // A server whose name needed no change keeps it.
    return isTaken && (own !== key || own === "")
      ? `${own.slice(0, MAX_PREFIX_CHARS - 5) || "server"}-${digest(key).slice(0, 4)}`
      : own;
  });
}

/** Returns the name by which clients know a server's tool or prompt. One that would be too long ends in a digest of its own. */
export function exposedName(prefix: string, name: string): string {
  const whole = `${prefix}${SEPARATOR}${name}`;
  if (whole.length <= MAX_NAME_CHARS) return whole;
  return `${whole.slice(0, MAX_NAME_CHARS - DIGEST_CHARS - 1)}_${digest(name)}`;
}

/** Splits a name that clients use; undefined for one without a prefix. The rest may be a shortened name. */
export function splitName(exposed: string): { readonly prefix: string; readonly rest: string } | undefined {
  const at = exposed.indexOf(SEPARATOR);
  return at < 1 ? undefined : { prefix: exposed.slice(0, at), rest: exposed.slice(at + SEPARATOR.length) };
}

/** Whether a name that clients use may have been shortened, so that its rest is not the server's own name. */
export function maybeShortened(exposed: string): boolean {
  return exposed.length === MAX_NAME_CHARS && SHORTENED.test(exposed);
}

function safe(key: string): string {
  return key
    .replaceAll(/[^A-Za-z0-9-]+/g, "_")
    .slice(0, MAX_PREFIX_CHARS)
    .replaceAll(/^[_-]+|_+$/g, "");
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, DIGEST_CHARS);
}
