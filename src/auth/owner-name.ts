/** 64 bits. Among a million keys, the chance that two have the same name is less than one in ten million. */
const HEX_DIGITS = 16;

/**
 * Returns the name by which servers recognise the holder of a key: the HMAC-SHA256 of the key under the cluster's name, cut
 * to 64 bits. It is the same after a restart and on every server of the cluster, and different in every other cluster.
 *
 * The cluster's name is not secret. An attacker who knows an owner name can therefore test a billion guesses and more per
 * second offline, where the limit on wrong keys does not apply. A random key of 128 bits withstands that for ever, a word
 * or eight letters for minutes. So an owner name may be kept in memory and in the store, whose files only the server's
 * user may read, and sent to servers that share the keys anyway. It MUST NOT appear in logs, metrics, the state, errors
 * or anything else that is shown; use `Caller.name` there.
 */
export function ownerName(key: string, cluster: string): string {
  const hmac = new Bun.CryptoHasher("sha256", `moorage owner name ${cluster}`);
  return `key:${hmac.update(key).digest("hex").slice(0, HEX_DIGITS)}`;
}
