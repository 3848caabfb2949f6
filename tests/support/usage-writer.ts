import { writeSync } from "node:fs";
import { openStore } from "../../src/store/store.ts";
import { createUsageRows } from "../../src/store/usage-rows.ts";
import { systemClock } from "../../src/system/clock.ts";
import { silentLog } from "../../src/system/log.ts";
import { UsageMeter } from "../../src/usage/usage-meter.ts";

// Counts requests in a store as fast as it can until it is killed: `bun usage-writer.ts <directory>`. It says on each line how
// many of them must be in the store by now, and how many there will be in a moment.

const FLUSH_MS = 20;
const REQUESTS_PER_TURN = 100;
const KEYS = 700;

const store = openStore(process.argv[2] ?? "", { clock: systemClock, log: silentLog });
/** Requests that were added, and those of them that were added before the last two flushes began. */
let [added, beforeLast, before] = [0, 0, 0];
const clock = {
  ...systemClock,
  after(ms: number, callback: () => void) {
    const isFlush = ms === FLUSH_MS;
    return systemClock.after(ms, () => {
      // A flush begins only when the one before has written everything.
      if (isFlush) [beforeLast, before] = [before, added];
      callback();
    });
  },
};
const meter = new UsageMeter({ clock, records: createUsageRows(store), flushMs: FLUSH_MS });

function work(): void {
  writeSync(1, `${beforeLast} ${added + REQUESTS_PER_TURN}\n`);
  for (let request = 0; request < REQUESTS_PER_TURN; request += 1) {
    const key = `k${Math.floor(Math.random() * KEYS)}`;
    meter.add({ key, model: "m", isFailed: false, inputTokens: 3, outputTokens: 1, waitMs: 0, heldMs: 1 });
  }
  added += REQUESTS_PER_TURN;
  setTimeout(work, 1);
}
work();
