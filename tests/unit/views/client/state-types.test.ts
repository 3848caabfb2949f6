import { expect, test } from "bun:test";
import * as v from "valibot";
import type { CallerState } from "../../../../src/models/caller-state.ts";
import { clusterStateSchema } from "../../../../src/state/cluster-schema.ts";
import { type ClusterState, toClusterState } from "../../../../src/state/cluster-state.ts";
import type { HistoryState, Sample } from "../../../../src/state/history.ts";
import type { ServerState } from "../../../../src/state/overview.ts";
import { historySchema, serverStateSchema } from "../../../../src/state/overview-schema.ts";
import type { Problem } from "../../../../src/state/problems.ts";
import { systemIds } from "../../../../src/system/ids.ts";
import { silentLog } from "../../../../src/system/log.ts";
import type * as page from "../../../../views/client/state-types.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { ScriptedCluster } from "../../../support/scripted-cluster.ts";
import { stillOverview } from "../../../support/still-overview.ts";

/** True for one and the same type only. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** The names of all fields, and of those within them. */
type Shape<T> = T extends readonly (infer Item)[]
  ? Shape<Item>[]
  : T extends object
    ? { [K in keyof T]: Shape<T[K]> }
    : T;

test("the page's types are the server's: the type check fails where one has a field that the other has not", () => {
  const same: {
    readonly sample: Same<page.Sample, Sample>;
    readonly problem: Same<page.Problem, Problem>;
    readonly server: Same<Shape<page.ServerState>, Shape<ServerState>>;
    readonly caller: Same<page.CallerState, CallerState>;
    readonly history: Same<Shape<page.HistoryAnswer>, Shape<HistoryState>>;
    readonly cluster: Same<Shape<page.ClusterState>, Shape<ClusterState>>;
  } = { sample: true, problem: true, caller: true, server: true, history: true, cluster: true };
  expect(Object.values(same)).not.toContain(false);
});

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
