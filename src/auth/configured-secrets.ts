import type { Config } from "../config.ts";

/** Returns the keys that the configuration lists, and the secret that the issuer has given. */
export function configuredSecrets({ apiKeys, clientKeys, adminKeys, oidcClientSecret }: Config): readonly string[] {
  return [...apiKeys, ...clientKeys, ...adminKeys, ...(oidcClientSecret === undefined ? [] : [oidcClientSecret])];
}
