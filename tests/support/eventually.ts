/** Waits until `check` gives something, polling: for what has no event to wait for. */
export async function eventually<T>(
  check: () => T | undefined | false | Promise<T | undefined | false>,
  what = "it",
  timeoutMs = 5000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const result = await check();
    if (result !== undefined && result !== false) return result;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms until ${what}`);
    await Bun.sleep(5);
  }
}
