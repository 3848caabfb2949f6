import { RecentTimes } from "../../src/figures/recent-times.ts";
import { SlidingSum } from "../../src/figures/sliding-sum.ts";
import type { Plugin } from "../../src/plugin/contract.ts";
import { Overview } from "../../src/state/overview.ts";
import type { Deps } from "../../src/system/deps.ts";
import { type Config, defaultConfig } from "./default-config.ts";

/** An overview that takes no samples until a test starts it. */
export function stillOverview(plugins: readonly Plugin[], deps: Deps, config: Config = defaultConfig()): Overview {
  return new Overview({
    config,
    access: {
      isClientOpen: config.apiKeys.length === 0,
      isWorkerOpen: config.clientKeys.length === 0,
      hasAdmins: false,
      hasSeveralOwners: config.clientKeys.length > 1,
    },
    clock: deps.clock,
    log: deps.log,
    plugins,
    version: "1.2.3",
    firstBytes: new RecentTimes(),
    authFailures: new SlidingSum(),
    isDraining: () => false,
    areRecordsFailing: () => false,
  });
}
