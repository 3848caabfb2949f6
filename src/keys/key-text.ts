// The text of a key: `mk_<id>_<secret>_<check>`. The prefix lets secret scanners find keys, the id finds the key without a
// search, and the check tells a mistyped key from a wrong one without a lookup.

/** `mk` begins the keys of clients, workers and admins; `mj` begins join tokens. */
export type KeyPrefix = "mk" | "mj";

/** The parts of a key's text that may be shown. */
export interface KeyText {
  readonly prefix: KeyPrefix;
  readonly id: string;
}

/** What a text is: a well-formed key, a key that was mistyped or cut off, or something else. */
export type ReadKeyText = { readonly kind: "key"; readonly text: KeyText } | { readonly kind: "mistyped" | "other" };

const ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";
const ALPHABET = `${ID_ALPHABET}ABCDEFGHIJKLMNOPQRSTUVWXYZ`;
/** 62 bits, so that the ids of a server's keys never collide. */
const ID_CHARS = 12;
/** 190 bits, so that a fast hash protects the secret as well as a slow one would. */
const SECRET_CHARS = 32;
/** Enough for the 32 bits of the checksum. */
const CHECK_CHARS = 6;
/** The characters of the id in a hint. */
const HINT_CHARS = 4;

const FORM = /^(m[kj])_([0-9a-z]{12})_([0-9A-Za-z]{32})_([0-9A-Za-z]{6})$/;
/** A text that begins like a key. */
const ALMOST = /^m[kj]_/i;

/** Returns random bytes. */
export type RandomBytes = (count: number) => Uint8Array;

/** Makes a random id. */
export function createKeyId(random: RandomBytes): string {
  return randomText(ID_ALPHABET, ID_CHARS, random);
}

/** Returns the id that stands for a digest in lower-case hex. Nobody who does not choose the digests can make two ids meet. */
export function keyIdOfDigest(digest: string): string {
  let left = BigInt(`0x${digest}`);
  let id = "";
  for (let index = 0; index < ID_CHARS; index += 1) {
    id += ID_ALPHABET.charAt(Number(left % BigInt(ID_ALPHABET.length)));
    left /= BigInt(ID_ALPHABET.length);
  }
  return id;
}

/** Makes the text of a key with a new secret. */
export function createKeyText(prefix: KeyPrefix, id: string, random: RandomBytes): string {
  const body = `${prefix}_${id}_${randomText(ALPHABET, SECRET_CHARS, random)}`;
  return `${body}_${checkOf(body)}`;
}

/** Reads a text. `mistyped` begins like a key, but its form or its check is wrong, so that nobody can have made it. */
export function readKeyText(text: string): ReadKeyText {
  const match = FORM.exec(text);
  const [, prefix, id = "", , check] = match ?? [];
  if (prefix !== "mk" && prefix !== "mj") return { kind: ALMOST.test(text) ? "mistyped" : "other" };
  const isWhole = checkOf(text.slice(0, -CHECK_CHARS - 1)) === check;
  return isWhole ? { kind: "key", text: { prefix, id } } : { kind: "mistyped" };
}

/** Returns the beginning of a key's text, by which people recognise it and from which nobody can use it. */
export function hintOf({ prefix, id }: KeyText): string {
  return `${prefix}_${id.slice(0, HINT_CHARS)}…`;
}

/** Returns the SHA-256 hash of a whole text, in lower-case hex. It is all that is kept of a key. */
export function keyHash(text: string): string {
  return Bun.CryptoHasher.hash("sha256", text, "hex");
}

/** The CRC-32 of a text, in base 62. */
function checkOf(text: string): string {
  let left = Bun.hash.crc32(text);
  let check = "";
  for (let index = 0; index < CHECK_CHARS; index += 1) {
    check = ALPHABET.charAt(left % ALPHABET.length) + check;
    left = Math.floor(left / ALPHABET.length);
  }
  return check;
}

/** Draws characters, each with the same probability: bytes beyond the last whole multiple of the alphabet are left out. */
function randomText(alphabet: string, length: number, random: RandomBytes): string {
  const bound = 256 - (256 % alphabet.length);
  let text = "";
  while (text.length < length) {
    for (const byte of random(length)) {
      if (byte < bound && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}
