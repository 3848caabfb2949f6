import { FakeClock } from "../support/fake-clock.ts";
import { MemoryNetwork } from "../support/memory-bus.ts";
import { turn } from "../support/turn.ts";
import { describeBus } from "./bus.ts";

/** The most steps of 1 ms after which everything must have happened; requests here have a minute at most. */
const MAX_STEPS = 70_000;

describeBus("the bus of tests", async () => {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock, { delayMs: [0, 3] });
  const until = async (condition: () => boolean): Promise<void> => {
    for (let step = 0; step < MAX_STEPS; step += 1) {
      if (step % 100 === 0) await turn();
      if (condition()) return;
      clock.advance(1);
    }
    throw new Error("the condition never held");
  };
  return {
    join: (name) => {
      const bus = network.join(name);
      return Promise.resolve({
        bus,
        cut: () => Promise.resolve(bus.disconnect()),
        mend: () => Promise.resolve(bus.reconnect()),
      });
    },
    until,
    settle: async () => {
      clock.advance(10);
      await turn();
    },
    finish: async (promise) => {
      let isDone = false;
      void promise.finally(() => {
        isDone = true;
      });
      await until(() => isDone);
      return promise;
    },
    stop: () => Promise.resolve(),
  };
});
