import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

/** The keys of the demo's server. */
export interface DemoKeys {
  readonly apiKey: string;
  readonly clientKey: string;
}

/** Makes keys for one run. */
export function newDemoKeys(): DemoKeys {
  const key = (prefix: string): string => `${prefix}-${randomBytes(16).toString("base64url")}`;
  return { apiKey: key("demo-api"), clientKey: key("demo-worker") };
}

/** The keys in a file cannot be used. The message says what to do. */
export class DemoKeysFault extends Error {
  override readonly name = "DemoKeysFault";
}

/**
 * Returns the keys of a file with lines `API_KEY=…` and `CLIENT_KEY=…`, which a shell can read, too. A file that is not there
 * is made with new keys, for its owner only. Throws a `DemoKeysFault`.
 */
export function demoKeysAt(path: string): DemoKeys {
  const read = (): DemoKeys => keysIn(readFileSync(path, "utf8"), path);
  try {
    const keys = newDemoKeys();
    writeFileSync(path, `API_KEY=${keys.apiKey}\nCLIENT_KEY=${keys.clientKey}\n`, { flag: "wx", mode: 0o600 });
    return keys;
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw new DemoKeysFault(`${path} cannot be written (${codeOf(error)}).`);
  }
  try {
    return read();
  } catch (error) {
    if (error instanceof DemoKeysFault) throw error;
    throw new DemoKeysFault(`${path} cannot be read (${codeOf(error)}).`);
  }
}

function keysIn(text: string, path: string): DemoKeys {
  const named = (name: string): string | undefined =>
    new RegExp(`^${name}=["']?([\\x21\\x23-\\x26\\x28-\\x2b\\x2d-\\x7e]{1,200})["']?\\s*$`, "m").exec(text)?.[1];
  const [apiKey, clientKey] = [named("API_KEY"), named("CLIENT_KEY")];
  if (apiKey === undefined || clientKey === undefined)
    throw new DemoKeysFault(
      `${path} has no lines API_KEY=… and CLIENT_KEY=… with a key each. Name a file that is not there yet, and the demo makes one.`,
    );
  return { apiKey, clientKey };
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
}
