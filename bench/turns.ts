/** Turns the event loop until the condition holds, and measures its turns. */
export async function watchTurns(
  isOver: () => boolean,
): Promise<{ readonly longestMs: number; readonly totalMs: number }> {
  const startedAt = Bun.nanoseconds();
  let longest = 0;
  for (let last = Bun.nanoseconds(); !isOver(); ) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = Bun.nanoseconds();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return { longestMs: longest / 1e6, totalMs: (Bun.nanoseconds() - startedAt) / 1e6 };
}
