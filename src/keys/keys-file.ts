import { isRecord } from "../json/parse.ts";
import { parseYaml } from "../settings/parse-yaml.ts";
import { isWeakKey } from "../system/key-strength.ts";
import { cleanText } from "../wire/clean-text.ts";
import { entryLines } from "./entry-lines.ts";
import { placeInFile } from "./file-place.ts";
import type { FormerSecret, KeyEntry, KeySecret } from "./key-entry.ts";
import { MAX_FORMER_SECRETS } from "./key-entry.ts";
import { type KeySpec, readKeySpec } from "./key-spec.ts";
import { hintOf, keyHash, readKeyText } from "./key-text.ts";
import type { TenantEntry } from "./tenant-entry.ts";
import { readTenants } from "./tenants-in-file.ts";

/** What references in the file refer to. */
export interface KeySecrets {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Returns the text of a file, whose path is relative to that of `KEYS_FILE`; throws if it cannot be read. */
  readonly readFile: (path: string) => string;
}

/** The keys that a file lists, or everything that is wrong with it. Faults repeat no values. */
export type KeysFileText =
  | { readonly ok: true; readonly entries: readonly KeyEntry[]; readonly tenants: readonly TenantEntry[] }
  | { readonly ok: false; readonly faults: readonly string[] };

/** The most keys of a file. */
const MAX_KEYS = 10_000;
/** The most faults that are reported at once. */
const MAX_FAULTS = 20;
/** The secrets of one key: the current one, and former ones that are still accepted. */
const MAX_SECRETS = 1 + MAX_FORMER_SECRETS;

const TOP = {
  keys: /^(?:keys|"keys"|'keys')[ \t]*:/gm,
  tenants: /^(?:tenants|"tenants"|'tenants')[ \t]*:/gm,
};
const HASH = /^sha256:([\da-f]{64})$/i;
const VARIABLE = /^env:([A-Za-z_]\w{0,255})$/;
const MADE_KEY = /m[kj]_[0-9a-z]{12}_/i;
const PATH = /^file:(.{1,4096})$/;
/** Visible ASCII without blanks and commas, as it can be sent in a header. */
const KEY = /^[\x21-\x2b\x2d-\x7e]{1,4096}$/;

const NOT_A_REFERENCE =
  "'key' must refer to the key, not contain it. Write sha256: and the output of `printf %s \"$KEY\" | sha256sum`, or env:VARIABLE, or file:PATH.";

const NOT_A_HASH =
  "'key' must have 64 hexadecimal digits after sha256:, as `printf %s \"$KEY\" | sha256sum` prints them, and nothing else.";
const HASH_OF_NOTHING = keyHash("");

/**
 * Reads the text of `KEYS_FILE`: a list `keys` of what may be asked of a new key, each with a `key` that refers to its
 * secret. Several references stand for one key with several secrets. A mapping `tenants` may give the limits that the keys of
 * a tenant share. `now` is in milliseconds since 1970.
 */
export function readKeysFile(text: string, secrets: KeySecrets, now: number): KeysFileText {
  // YAML forbids it, but the parser takes the last one. Then half of the keys would end, as after a careless merge.
  if ((text.match(TOP.keys)?.length ?? 0) > 1)
    return { ok: false, faults: ["the file has two lists 'keys'; join them"] };
  if ((text.match(TOP.tenants)?.length ?? 0) > 1)
    return { ok: false, faults: ["the file has two mappings 'tenants'; join them"] };
  const parsed = parseYaml(text);
  if (!parsed.ok) return { ok: false, faults: [`the file is not valid YAML (${parsed.reason})`] };
  const root = parsed.value;
  const listed: unknown = isRecord(root) ? root["keys"] : undefined;
  if (!isRecord(root) || !Array.isArray(listed))
    return { ok: false, faults: ["the file must have a list 'keys' at the top level"] };
  const strange = Object.keys(root).filter((name) => name !== "keys" && name !== "tenants");
  // The name is repeated only if it cannot be a key, which has digits.
  const faults = strange.map(
    (name) =>
      `${/^[a-z_-]{1,40}$/i.test(name) ? `'${name}'` : "a name"} at the top level is not known; only 'keys' and 'tenants' are`,
  );
  if (listed.length > MAX_KEYS) return { ok: false, faults: [`the file has more than ${MAX_KEYS} keys`] };
  const entries: KeyEntry[] = [];
  const places = new Map<string, number>();
  const lines = entryLines(text, listed.length);
  for (const [index, value] of listed.entries()) {
    const place = placeInFile("key", index, isRecord(value) ? value["name"] : undefined, lines?.[index]);
    const read = readEntry(value, secrets, now);
    if (!read.ok) {
      faults.push(`${place}: ${read.message}`);
      continue;
    }
    for (const [taken, what] of marksOf(read.entry)) {
      const other = places.get(taken);
      if (other !== undefined) faults.push(`${place}: it has the same ${what} as key ${other}`);
      places.set(taken, index + 1);
    }
    entries.push(read.entry);
  }
  const tenants = readTenants(root["tenants"], now);
  if (!tenants.ok) faults.push(...tenants.faults);
  if (faults.length > 0 || !tenants.ok) return { ok: false, faults: faults.slice(0, MAX_FAULTS) };
  return { ok: true, entries, tenants: tenants.entries };
}

type ReadEntry = { readonly ok: true; readonly entry: KeyEntry } | { readonly ok: false; readonly message: string };

function readEntry(value: unknown, secrets: KeySecrets, now: number): ReadEntry {
  if (!isRecord(value)) return { ok: false, message: "it must be a mapping with 'name' and 'key'" };
  const { key, ...rest } = value;
  const spec = readKeySpec(rest);
  if (!spec.ok) return spec;
  if (spec.value.kind === "join")
    return { ok: false, message: "it is a join token, and the uses of one cannot be counted in this file" };
  const references = Array.isArray(key) ? key : [key];
  if (references.length === 0 || references.length > MAX_SECRETS)
    return { ok: false, message: `it must have one 'key', or a list of at most ${MAX_SECRETS}` };
  const found: KeySecret[] = [];
  for (const reference of references) {
    const secret = readSecret(reference, secrets, now);
    if (typeof secret === "string") return { ok: false, message: secret };
    found.push(secret);
  }
  return { ok: true, entry: toEntry(spec.value, found, now) };
}

function toEntry({ kind, terms }: KeySpec, secrets: readonly KeySecret[], now: number): KeyEntry {
  const [secret, ...others] = secrets;
  if (!secret) throw new Error("an entry has no secret");
  // The file itself says how long a former secret is accepted: as long as it is listed.
  const former: readonly FormerSecret[] = others.map((each) => ({ ...each, validUntil: Number.MAX_SAFE_INTEGER }));
  const made = { revision: 1, createdAt: now, createdBy: "KEYS_FILE" };
  return { ...terms, id: idOf(terms.name), kind, source: "file", secret, former, ...made };
}

/** Returns the secret that a reference leads to, or what is wrong with it. */
function readSecret(reference: unknown, { env, readFile }: KeySecrets, now: number): KeySecret | string {
  if (reference === undefined) return "'key' is missing";
  if (typeof reference !== "string") return NOT_A_REFERENCE;
  // The name of a variable or a file is repeated in faults, and a key that stands in its place must not be.
  if (MADE_KEY.test(reference)) return NOT_A_REFERENCE;
  const hash = HASH.exec(reference)?.[1]?.toLowerCase();
  if (hash === HASH_OF_NOTHING) return "'key' is the hash of an empty text, as if the variable KEY had not been set.";
  if (hash === undefined && /^sha256:/i.test(reference)) return NOT_A_HASH;
  if (hash !== undefined) return { hash, hint: `sha256:${hash.slice(0, 4)}…`, madeAt: now };
  const variable = VARIABLE.exec(reference)?.[1];
  if (variable !== undefined) return toSecret(env[variable]?.trim(), `the variable ${variable}`, now);
  const path = PATH.exec(reference)?.[1];
  if (path === undefined) return NOT_A_REFERENCE;
  try {
    return toSecret(readFile(path).trim(), `the file ${cleanText(path)}`, now);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
    return `the file ${cleanText(path)} cannot be read (${reason})`;
  }
}

function toSecret(text: string | undefined, where: string, now: number): KeySecret | string {
  if (text === undefined || text === "") return `${where} is not set or empty`;
  if (!KEY.test(text)) return `${where} must contain one key, of visible ASCII characters without blanks and commas`;
  if (isWeakKey(text))
    return `the key in ${where} has fewer than 128 bits and can be guessed; create one with \`openssl rand -hex 16\``;
  const read = readKeyText(text);
  if (read.kind === "mistyped") return `the key in ${where} was mistyped or cut off`;
  // The beginning of a key of unknown form may be all that is secret about it.
  const hint = read.kind === "key" ? hintOf(read.text) : `sha256:${keyHash(text).slice(0, 4)}…`;
  return { hash: keyHash(text), hint, madeAt: now };
}

/** Lists what no two entries may share. */
function marksOf({ id, secret, former }: KeyEntry): readonly (readonly [mark: string, what: string])[] {
  const hashes = [secret, ...former].map(({ hash }) => [hash, "secret"] as const);
  return [[id, "name"], ...hashes];
}

/** Returns an id that is safe in URLs and logs, and stays the same as long as the name does. */
function idOf(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]/g, "-");
  return plain === name ? `file:${name}` : `file:${plain}-${keyHash(name).slice(0, 6)}`;
}
