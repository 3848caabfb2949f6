import { expect, test } from "bun:test";
import { type FlowFacts, listFlows, MAX_LISTED_FLOWS, OTHER_FLOWS } from "../../../src/pool/flow-facts.ts";

const flow = (caller: string, waiting: number, running: number, share: number): FlowFacts => ({
  caller,
  tenant: "default",
  endUser: undefined,
  class: "normal",
  weight: 1,
  waiting,
  running,
  oldestWaitMs: waiting * 10,
  share,
});

test("flows are listed by their waiting jobs, then their running ones, then their share", () => {
  const flows = [flow("d", 0, 0, 0.5), flow("c", 0, 1, 0), flow("b", 1, 0, 0), flow("a", 2, 0, 0)];
  expect(listFlows(flows).map(({ caller }) => caller)).toEqual(["a", "b", "c", "d"]);
});

test("flows beyond the most that are listed are summed up as one", () => {
  const all = Array.from({ length: MAX_LISTED_FLOWS + 3 }, (_, at) => flow(`k${at}`, 100 - at, 1, 0.01));
  const listed = listFlows(all);
  expect(listed).toHaveLength(MAX_LISTED_FLOWS + 1);
  expect(listed.at(-1)).toEqual({
    ...flow(OTHER_FLOWS, 50 + 49 + 48, 3, 0.03),
    tenant: OTHER_FLOWS,
    oldestWaitMs: 500,
  });
});
