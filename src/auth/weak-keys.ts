import type { Config } from "../config.ts";
import { isWeakKey } from "../system/key-strength.ts";

/** Returns the names of the configured keys that have fewer than 128 bits by their length and alphabet: `api-key:2`. */
export function weakKeys({ apiKeys, clientKeys, adminKeys }: Config): readonly string[] {
  const lists = { "api-key": apiKeys, "client-key": clientKeys, "admin-key": adminKeys };
  return Object.entries(lists).flatMap(([kind, keys]) =>
    keys.flatMap((key, index) => (isWeakKey(key) ? [`${kind}:${index + 1}`] : [])),
  );
}
