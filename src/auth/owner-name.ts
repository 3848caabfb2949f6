/** The cluster that a server belongs to unless it is told another name. */
const DEFAULT_CLUSTER = "moorage";

/** 64 bits: among a million keys, two of one name are less likely than one in ten million. */
const HEX_DIGITS = 16;

/**
 * A name by which servers recognise the holder of a key: the HMAC-SHA256 of the key under the cluster's name, cut to 64
 * bits. It is the same after a restart and on every server of the cluster, and another in every other cluster.
 *
 * The cluster's name is no secret. Whoever has an owner name can therefore test guesses offline, a billion and more a
 * second, out of reach of the limit on wrong keys: a random key of 128 bits withstands that for ever, a word or eight
 * letters for minutes. So an owner name may stay in memory and travel between servers that share the keys anyway. It MUST
 * NOT appear in logs, metrics, the state, errors or anything else that is shown; `Caller.name` is for those.
 */
export function ownerName(key: string, cluster = DEFAULT_CLUSTER): string {
  const hmac = new Bun.CryptoHasher("sha256", `moorage owner name ${cluster}`);
  return `key:${hmac.update(key).digest("hex").slice(0, HEX_DIGITS)}`;
}
