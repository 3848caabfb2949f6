import type { Config } from "../config.ts";
import { isWeakKey } from "../system/key-strength.ts";

/** Returns the names of the configured keys and secrets that have fewer than 128 bits by their length and alphabet: `api-key:2`. */
export function weakKeys({ apiKeys, clientKeys, adminKeys, oidcClientSecret }: Config): readonly string[] {
  const lists = { "api-key": apiKeys, "client-key": clientKeys, "admin-key": adminKeys };
  const secret = oidcClientSecret !== undefined && isWeakKey(oidcClientSecret) ? ["oidc-client-secret"] : [];
  const listed = Object.entries(lists).flatMap(([kind, keys]) =>
    keys.flatMap((key, index) => (isWeakKey(key) ? [`${kind}:${index + 1}`] : [])),
  );
  return [...listed, ...secret];
}
