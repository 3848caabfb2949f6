import { createHmac, hkdfSync } from "node:crypto";
import type { Config } from "../config.ts";
import type { SharedSecret } from "./token-keys.ts";

/** The use of a secret. Secrets for two uses have nothing in common. */
export type SecretUse = "addresses" | "cache-salts" | "end-users" | "fingerprint" | "prompts";

/**
 * Returns the secret for a use: text with 256 bits. It may change while the server runs, when servers of a cluster that
 * started alone find each other.
 */
export type SecretFor = (use: SecretUse) => () => string;

/** What the servers of a cluster have in common, and nobody else knows. */
export type ClusterSecrets = Pick<Config, "apiKeys" | "clientKeys" | "adminKeys" | "clusterName"> & {
  /** A digest of `KEYS_FILE`; undefined without one. */
  readonly fileDigest?: string | undefined;
};

export interface SecretsOptions {
  /** Undefined for a server whose records are lost at a restart. */
  readonly shared: SharedSecret | undefined;
  /** Undefined for a server without a cluster. */
  readonly cluster: ClusterSecrets | undefined;
  /** Returns random text. */
  readonly random: () => string;
}

const BYTES = 32;

/**
 * Derives the secrets of plugins. The source is the secret that the servers of a cluster share, or that survives a restart.
 * While that is unknown, it is the cluster's name with its keys, which are the same on all servers. Without a cluster it is
 * random.
 */
export function createSecrets({ shared, cluster, random }: SecretsOptions): SecretFor {
  const own = cluster ? secretOfKeys(cluster) : random();
  return (use) => {
    let root: string | undefined;
    let derived = "";
    return () => {
      const current = shared?.current() ?? own;
      if (current !== root) {
        root = current;
        derived = Buffer.from(hkdfSync("sha256", current, "", `moorage ${use}`, BYTES)).toString("base64url");
      }
      return derived;
    };
  };
}

function secretOfKeys({ apiKeys, clientKeys, adminKeys, clusterName, fileDigest }: ClusterSecrets): string {
  const hmac = createHmac("sha256", `moorage cluster ${clusterName}`);
  // A server may list the same keys in another order.
  for (const keys of [apiKeys, clientKeys, adminKeys]) hmac.update(JSON.stringify([...keys].sort()));
  if (fileDigest !== undefined) hmac.update(fileDigest);
  return hmac.digest("base64url");
}
