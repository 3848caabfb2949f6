/** What a test run came to. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Milliseconds one test may take before it counts as failed. Flow tests open real sockets on busy machines. */
const TEST_TIMEOUT_MS = 30_000;

/** Milliseconds the whole run may take: a hang between tests, where no timeout of a test applies, ends here. */
const RUN_TIMEOUT_MS = 20 * 60_000;

/**
 * Runs `bun test`, showing its output as it comes. A run that ends badly, or early, has a failure. `env` is added to this
 * process's own.
 */
export async function runTests(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Tally> {
  const run = Bun.spawn([process.execPath, "test", "--timeout", String(TEST_TIMEOUT_MS), ...args], {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
    timeout: RUN_TIMEOUT_MS,
  });
  // Results come on stderr, what tests print themselves on stdout: only the former are read for the tally.
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of run.stderr) {
    process.stdout.write(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  const exitCode = await run.exited;
  const tally = readTally(text);
  if (tally && (exitCode === 0 || tally.failed > 0)) return tally;
  console.log(`The test run ended early or badly: ${run.signalCode ?? `exit code ${exitCode}`}.`);
  return { passed: 0, skipped: 0, ...tally, failed: 1 };
}

/** Reads the counts that end the output of `bun test`; undefined where it stopped before giving them. */
export function readTally(output: string): Tally | undefined {
  const plain = Bun.stripANSI(output);
  if (!/^Ran \d+ tests? /m.test(plain)) return undefined;
  const last = (word: string): number => {
    const counts = [...plain.matchAll(new RegExp(`^ *(\\d+) ${word}$`, "gm"))];
    return Number(counts.at(-1)?.[1] ?? 0);
  };
  return {
    passed: last("pass"),
    // A file that cannot be loaded is counted by Bun as a failed test and as an error.
    failed: Math.max(last("fail"), last("errors?")),
    skipped: last("skip") + last("todo"),
  };
}

/** The line that closes a run. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
