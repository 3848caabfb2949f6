/** Says which servers of a cluster are not in an answer, if there are any. `missing` is what the server has answered. */
export function warnOfMissing(missing: unknown, err: (text: string) => void): void {
  if (!Array.isArray(missing) || missing.length === 0) return;
  err(`These servers did not answer, so what they keep is missing here: ${missing.join(", ")}.\n`);
}
