/** Returns the known name that a mistyped one most likely means: at most two edits away, or a third of its length. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = toPlain(name);
  let best: { readonly name: string; readonly slips: number } | undefined;
  for (const candidate of known) {
    const slips = distance(wanted, toPlain(candidate));
    if (
      slips <= Math.max(2, Math.floor(candidate.length / 3)) &&
      slips < candidate.length &&
      (!best || slips < best.slips)
    ) {
      best = { name: candidate, slips };
    }
  }
  return best?.name;
}

/** Brings spellings together: `queueSize`, `queue_size` and `queue-size` mean the same name. */
function toPlain(name: string): string {
  return name.toLowerCase().replace(/[-_.]/g, "");
}

/** Counts the edits (insert, delete, replace) between two texts, which are cut at the length of the longest name. */
function distance(from: string, to: string): number {
  const source = from.slice(0, 64);
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= source.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (source[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
