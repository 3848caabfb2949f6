import { describe, expect, test } from "bun:test";
import { toCallerStates, toWaitingCallers } from "../../../src/models/caller-state.ts";
import { type FlowFacts, listFlows } from "../../../src/pool/flow-facts.ts";

function flow(caller: string, more: Partial<FlowFacts> = {}): FlowFacts {
  return {
    caller,
    tenant: "default",
    endUser: undefined,
    class: "normal",
    weight: 1,
    waiting: 0,
    running: 0,
    oldestWaitMs: 0,
    share: 0,
    ...more,
  };
}

describe("the callers of a pool", () => {
  test("are shown with what waits and runs, the longest wait, and the share beside the fair one", () => {
    const flows = [
      flow("api-key:1", { waiting: 7, running: 2, oldestWaitMs: 40_000.4, share: 0.6204, weight: 3 }),
      flow("role:reader", { running: 1, share: 0.3796, class: "background" }),
    ];
    expect(toCallerStates(flows)).toEqual([
      {
        name: "api-key:1",
        end_user: null,
        class: "normal",
        waiting: 7,
        held: 0,
        limit: null,
        running: 2,
        oldest_wait_ms: 40_000,
        share: 0.62,
        fair_share: 0.75,
      },
      {
        name: "role:reader",
        end_user: null,
        class: "background",
        waiting: 0,
        held: 0,
        limit: null,
        running: 1,
        oldest_wait_ms: null,
        share: 0.38,
        fair_share: 0.25,
      },
    ]);
  });

  test("divide the whole fairly by tenant, then by weight, then among the users behind one key", () => {
    const states = toCallerStates([
      flow("a", { tenant: "one", endUser: "u1" }),
      flow("a", { tenant: "one", endUser: "u2" }),
      flow("b", { tenant: "one", weight: 3 }),
      flow("c", { tenant: "two" }),
    ]);
    expect(states.map(({ fair_share }) => fair_share)).toEqual([0.063, 0.063, 0.375, 0.5]);
    expect(states.map(({ end_user }) => end_user)).toEqual(["u1", "u2", null, null]);
  });

  test("beyond those that are listed are one line without a class or a fair share", () => {
    const states = toCallerStates(
      listFlows(Array.from({ length: 5000 }, (_, at) => flow(`api-key:${at}`, { waiting: 1 }))),
    );
    expect(states).toHaveLength(51);
    expect(states.at(-1)).toMatchObject({ name: "(other)", class: null, fair_share: null, waiting: 4950 });
  });

  test("that wait for one model are named up to three", () => {
    expect(toWaitingCallers(undefined)).toEqual([]);
    const waitingBy = new Map([
      ["a", 1],
      ["b", 7],
      ["c", 2],
      ["d", 1],
      ["e", 3],
    ]);
    expect(toWaitingCallers(waitingBy)).toEqual([
      { caller: "b", waiting: 7 },
      { caller: "e", waiting: 3 },
      { caller: "c", waiting: 2 },
      { caller: "(other)", waiting: 2 },
    ]);
  });
});
