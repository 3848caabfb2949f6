import { expect, test } from "bun:test";
import type { CallerState } from "../../../../src/models/caller-state.ts";
import { callersOf } from "../../../../views/client/callers.ts";

function caller(name: string, more: Partial<CallerState> = {}): CallerState {
  return {
    name,
    end_user: null,
    class: "normal",
    waiting: 0,
    held: 0,
    limit: null,
    running: 0,
    oldest_wait_ms: null,
    share: 0,
    fair_share: 0.5,
    ...more,
  };
}

test("the callers of all plugins are one list: those who wait most first, and sums of the others last", () => {
  const rows = callersOf({
    llm: {
      callers: [
        caller("api-key:1", { waiting: 3 }),
        caller("api-key:2", { running: 2, class: "background", end_user: "4f2a" }),
        caller("(other)", { waiting: 90, class: null, fair_share: null }),
      ],
    },
    asr: { callers: [caller("api-key:1", { waiting: 5 })] },
    mcp: { relays: [] },
  });
  expect(rows.map(({ title }) => title)).toEqual([
    "api-key:1 (asr · normal)",
    "api-key:1 (llm · normal)",
    "api-key:2 (llm · background · user 4f2a)",
    "(other) (llm)",
  ]);
  expect(new Set(rows.map(({ key }) => key)).size).toBe(4);
});
