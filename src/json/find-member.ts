import { isRecord, parseJson } from "./parse.ts";

/**
 * How many objects of the name are looked into, and how many closing braces are tried for each: real ones nest two objects
 * at most.
 */
const MAX_TRIES = 4;
const MAX_BRACES = 8;
/** The longest object that is parsed. */
const MAX_CHARS = 4096;

/**
 * Finds the last member called `name` that is an object, and returns what `read` makes of it. The text may begin and end
 * anywhere in a JSON document, or in events that hold several documents. Undefined if `read` accepts none of the last few.
 */
export function findLastObject<T>(
  text: string,
  name: string,
  read: (object: Readonly<Record<string, unknown>>) => T | undefined,
): T | undefined {
  const quoted = `"${name}"`;
  let tries = 0;
  for (let at = text.lastIndexOf(quoted); at >= 0; at = at === 0 ? -1 : text.lastIndexOf(quoted, at - 1)) {
    const start = objectAfter(text, at + quoted.length);
    // Quotes inside a string are escaped, so this is a member's name, or a value that equals the name.
    if (start === undefined || text[at - 1] === "\\") continue;
    tries += 1;
    if (tries > MAX_TRIES) return undefined;
    const object = parseObjectAt(text, start);
    const found = isRecord(object) ? read(object) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Finds the first member called `name` that is an object `read` accepts, in the same way. */
export function findFirstObject<T>(
  text: string,
  name: string,
  read: (object: Readonly<Record<string, unknown>>) => T | undefined,
): T | undefined {
  const quoted = `"${name}"`;
  let tries = 0;
  for (let at = text.indexOf(quoted); at >= 0 && tries < MAX_TRIES; at = text.indexOf(quoted, at + 1)) {
    const start = objectAfter(text, at + quoted.length);
    if (start === undefined || text[at - 1] === "\\") continue;
    tries += 1;
    const object = parseObjectAt(text, start);
    const found = isRecord(object) ? read(object) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The position of the object that follows a name, its colon and the white space around the colon. */
function objectAfter(text: string, at: number): number | undefined {
  const colon = skipBlanks(text, at);
  if (text.charCodeAt(colon) !== COLON) return undefined;
  const brace = skipBlanks(text, colon + 1);
  return text.charCodeAt(brace) === OPEN_BRACE ? brace : undefined;
}

const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
/** How much white space is skipped: enough for any formatting. */
const MAX_BLANKS = 64;

function skipBlanks(text: string, at: number): number {
  let next = at;
  while (next < at + MAX_BLANKS) {
    const code = text.charCodeAt(next);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
    next += 1;
  }
  return next;
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
