import { isRecord, parseJson } from "./parse.ts";

/** Objects of the name that are looked into, and closing braces tried for each: real ones hold two details at most. */
const MAX_TRIES = 4;
const MAX_BRACES = 8;
/** The longest such object that is parsed. */
const MAX_CHARS = 4096;

/**
 * What `read` makes of the last member called `name` that is an object, in text which may begin and end anywhere in a
 * JSON document or in events that hold several. Undefined when it makes nothing of the last few.
 */
export function findLastObject<T>(
  text: string,
  name: string,
  read: (object: Readonly<Record<string, unknown>>) => T | undefined,
): T | undefined {
  const quoted = `"${name}"`;
  let tries = 0;
  for (let at = text.lastIndexOf(quoted); at >= 0; at = at === 0 ? -1 : text.lastIndexOf(quoted, at - 1)) {
    const after = at + quoted.length;
    const start = text.slice(after, after + 64).match(/^\s*:\s*\{/)?.[0].length;
    // Inside a string its quotes are escaped, so this is a member, or the name as somebody's plain text value.
    if (start === undefined || text[at - 1] === "\\") continue;
    tries += 1;
    if (tries > MAX_TRIES) return undefined;
    const object = parseObjectAt(text, after + start - 1);
    const found = isRecord(object) ? read(object) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The object that begins at `at`, parsed up to the brace that closes it. */
function parseObjectAt(text: string, at: number): unknown {
  let end = at;
  for (let braces = 0; braces < MAX_BRACES; braces += 1) {
    end = text.indexOf("}", end + 1);
    if (end < 0 || end - at > MAX_CHARS) return undefined;
    const value = parseJson(text.slice(at, end + 1));
    if (value !== undefined) return value;
  }
  return undefined;
}
