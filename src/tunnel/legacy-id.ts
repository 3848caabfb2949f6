import { isRecord } from "../json/parse.ts";
import { isId, MAX_ID_CHARS, MAX_TEXT_CHARS } from "../wire/names.ts";

/** Characters of the digest that ends an id which was too long. */
const DIGEST_CHARS = 16;

/**
 * Maps the id of a legacy agent to one that the rule allows: the predecessor accepted any text. An allowed id stays as it
 * is. In any other, each character that is not allowed becomes `_` and two hexadecimal digits per byte of its UTF-8 form, as
 * in a URL, and `_` itself becomes `_5F`, so that two mapped ids are never the same. What does not fit is cut and ends in a
 * digest. A mapped id can equal an allowed one that was chosen to look like it; then the rules for an id in use apply.
 */
export function toLegacyId(said: string): string {
  if (isId(said)) return said;
  const mapped = Array.from(said.slice(0, MAX_ID_CHARS), escapeCharacter).join("");
  if (said.length <= MAX_ID_CHARS && isId(mapped)) return mapped;
  const digest = new Bun.CryptoHasher("sha256").update(said).digest("hex").slice(0, DIGEST_CHARS);
  return `${mapped.slice(0, MAX_ID_CHARS - DIGEST_CHARS - 1)}_${digest}`;
}

/**
 * Returns the first message of a legacy agent with an id that the rule allows. An agent that names itself by its id alone
 * keeps its own words as its name.
 */
export function withLegacyId(json: unknown, idName: string, nameName: string): unknown {
  if (!isRecord(json)) return json;
  const said = json[idName];
  if (typeof said !== "string" || said === "" || isId(said)) return json;
  return { ...json, [idName]: toLegacyId(said), [nameName]: json[nameName] || said.slice(0, MAX_TEXT_CHARS) };
}

function escapeCharacter(character: string): string {
  // Checked after a letter, so that a single dot is judged as a character and not as a whole id.
  if (character !== "_" && isId(`a${character}`)) return character;
  return Array.from(Buffer.from(character), (byte) => `_${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}
