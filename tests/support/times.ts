/** Returns the number of runs of a random test: `runs` in a check, and `FUZZ_TIMES` times as many in a long run. */
export function times(runs: number): number {
  return runs * Number(process.env["FUZZ_TIMES"] ?? 1);
}
