/** The counts of a test run. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Milliseconds that one test may take before it fails. Flow tests open real sockets on busy machines. */
const TEST_TIMEOUT_MS = 30_000;

/**
 * Milliseconds that the whole run may take. This ends a hang between tests, to which no test's timeout applies. A run takes
 * some 18 minutes on two cores, and longer where they have other work.
 */
const RUN_TIMEOUT_MS = 45 * 60_000;

/**
 * Runs `bun test` and shows its output as it arrives. A run that ends early or with an error has at least one failure. `env`
 * is added to this process's own environment.
 */
export async function runTests(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Tally> {
  const run = Bun.spawn([process.execPath, "test", "--timeout", String(TEST_TIMEOUT_MS), ...args], {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "pipe",
    timeout: RUN_TIMEOUT_MS,
  });
  // Bun writes results to stderr, and tests print to stdout. Only stderr is read for the counts.
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of run.stderr) {
    process.stdout.write(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  const exitCode = await run.exited;
  const tally = readTally(text);
  const reasons = readSkips(text);
  for (const reason of reasons) console.log(reason);
  if (tally && tally.skipped > 0 && reasons.length === 0 && process.env["CI"]) {
    console.log("Tests were skipped without a reason; tests/support/lacks.ts gives one.");
    return { ...tally, failed: tally.failed + 1 };
  }
  if (tally && (exitCode === 0 || tally.failed > 0)) return tally;
  console.log(`The test run ended early or with an error: ${run.signalCode ?? `exit code ${exitCode}`}.`);
  return { passed: 0, skipped: 0, ...tally, failed: 1 };
}

/** Reads the counts at the end of `bun test`'s output. Undefined if the run stopped before printing them. */
export function readTally(output: string): Tally | undefined {
  const plain = Bun.stripANSI(output);
  if (!/^Ran \d+ tests? /m.test(plain)) return undefined;
  const last = (word: string): number => {
    const counts = [...plain.matchAll(new RegExp(`^ *(\\d+) ${word}$`, "gm"))];
    return Number(counts.at(-1)?.[1] ?? 0);
  };
  return {
    passed: last("pass"),
    // Bun counts a file that cannot be loaded both as a failed test and as an error.
    failed: Math.max(last("fail"), last("errors?")),
    skipped: last("skip") + last("todo"),
  };
}

/** The lines in which tests say that a group of them is skipped, and why. */
export function readSkips(output: string): readonly string[] {
  return [...new Set(Bun.stripANSI(output).match(/^Skipped: .*$/gm) ?? [])];
}

/** The last line of a run. */
export function closingLine({ passed, failed, skipped }: Tally): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
