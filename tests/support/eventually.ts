/** Calls `check` every 5 ms until it returns a value, for conditions that no event announces. */
export async function eventually<T>(
  check: () => T | undefined | false | Promise<T | undefined | false>,
  what = "the condition holds",
  timeoutMs = 5000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const result = await check();
    if (result !== undefined && result !== false) return result;
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms until ${what}`);
    await Bun.sleep(5);
  }
}

/**
 * Waits until a count above zero has not changed for 100 ms of real time, for a sender whose peer has stopped reading. The
 * system decides how much the sockets between them hold, and no event announces that they are full.
 */
export async function untilStill(count: () => number, what: string, timeoutMs = 10_000): Promise<void> {
  let last = 0;
  let changedAt = performance.now();
  await eventually(
    () => {
      const current = count();
      if (current !== last) changedAt = performance.now();
      last = current;
      return current > 0 && performance.now() - changedAt >= 100;
    },
    what,
    timeoutMs,
  );
}
