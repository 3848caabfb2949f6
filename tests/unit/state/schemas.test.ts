import { expect, test } from "bun:test";
import * as v from "valibot";
import { clusterStateSchema } from "../../../src/state/cluster-schema.ts";
import { toClusterState } from "../../../src/state/cluster-state.ts";
import { historySchema, serverStateSchema } from "../../../src/state/overview-schema.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedCluster } from "../../support/scripted-cluster.ts";
import { stillOverview } from "../../support/still-overview.ts";

test("what the server sends is what the API's description says, without a field more or less", () => {
  const overview = stillOverview([], { clock: new FakeClock(), ids: systemIds, log: silentLog });
  const state = overview.state(0);
  expect<unknown>(v.parse(serverStateSchema, state)).toEqual(state);
  const history = overview.history();
  expect<unknown>(v.parse(historySchema, history)).toEqual(history);
  expect(Object.keys(history.samples)).toEqual(Object.keys(state.sample));
});

test("what the server sends of its cluster is what the API's description says, without a field more or less", () => {
  const clock = new FakeClock();
  const scripted = new ScriptedCluster(clock);
  scripted.peer("b");
  const { sample, pools } = stillOverview([], { clock, ids: systemIds, log: silentLog }).state(0);
  const problems = { critical: 0, warning: 0 };
  const own = { id: "a", version: "1", isDraining: false, startedAt: clock.now(), sample, pools, problems };
  const state = toClusterState(scripted.facts(), own, () => ({ sample, pools }), clock.now());
  expect<unknown>(v.parse(clusterStateSchema, state)).toEqual(state);
});
