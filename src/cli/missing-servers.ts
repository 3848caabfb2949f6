/** Warns of servers of a cluster whose part is missing from an answer. `missing` is what the server has returned. */
export function warnOfMissing(missing: unknown, err: (text: string) => void): void {
  if (!Array.isArray(missing) || missing.length === 0) return;
  err(`These servers did not answer, so their part is missing here: ${missing.join(", ")}. Try again later.\n`);
}
