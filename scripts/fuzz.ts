import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { closingLine, runTests } from "./run-tests.ts";

// `bun run fuzz [--times 20] [--seed N] [path …]` runs the random tests many times longer than a check does, each time
// from another seed. A failure prints its seed and the smallest failing case; the same `--seed` finds it again.

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { times: { type: "string", default: "20" }, seed: { type: "string" } },
  allowPositionals: true,
});
const times = Number(values.times);
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
if (!Number.isInteger(times) || times < 1 || !Number.isInteger(seed)) {
  console.error("usage: bun run fuzz [--times <whole number>] [--seed <whole number>] [path …]");
  process.exit(2);
}

/** The timeout grows with the number of cases. */
const TEST_TIMEOUT_MS = 30_000 * times;

const random = [...new Bun.Glob("tests/{unit,contract,fuzz}/**/*.test.ts").scanSync()].sort();
const withCases = await Promise.all(
  random.map(async (path) => ((await Bun.file(path).text()).includes('from "fast-check"') ? [path] : [])),
);
const files = positionals.length > 0 ? positionals : withCases.flat();
const tally = await runTests(["--timeout", String(TEST_TIMEOUT_MS), ...files], {
  FUZZ_TIMES: String(times),
  FAST_CHECK_SEED: String(seed),
});
console.log(`${closingLine(tally)}; seed ${seed}, ${times} times the cases of a check, ${files.length} files`);
process.exitCode = tally.failed > 0 ? 1 : 0;
