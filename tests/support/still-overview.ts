import { type Config, defaultConfig } from "../../src/config.ts";
import type { Deps } from "../../src/deps.ts";
import type { Plugin } from "../../src/plugin.ts";
import { RecentTimes } from "../../src/recent/recent-times.ts";
import { SlidingSum } from "../../src/recent/sliding-sum.ts";
import { Overview } from "../../src/state/overview.ts";

/** An overview that takes no samples until a test starts it. */
export function stillOverview(plugins: readonly Plugin[], deps: Deps, config: Config = defaultConfig()): Overview {
  return new Overview({
    config,
    clock: deps.clock,
    log: deps.log,
    plugins,
    version: "1.2.3",
    firstBytes: new RecentTimes(),
    authFailures: new SlidingSum(),
    isDraining: () => false,
  });
}
