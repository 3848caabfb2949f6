import { describe, expect, test } from "bun:test";
import { newAmong, phaseOf, USUAL_MS, workersIn } from "../../../../views/client/arrival.ts";

const NO_ANSWER = { isAsking: false, isThere: false, problem: "" };
const [READY] = workersIn("llm", { workers: [workerRow("idle")] });
const [SILENT] = workersIn("llm", { workers: [workerRow("not_ready", "no model server answers")] });

function workerRow(status: string, status_reason: string | null = null): object {
  return { id: "w1", name: "attic", status, status_reason, models: ["m"], connected_at: "2026-11-28T00:00:00Z" };
}

describe("the workers of a state", () => {
  test("are those of the plugin, and the relays of MCP", () => {
    expect(READY).toMatchObject({ id: "w1", isReady: true, reason: "", models: ["m"] });
    expect(SILENT).toMatchObject({ isReady: false, reason: "no model server answers" });
    const relay = { id: "tools", name: "", status: "ready", status_reason: null, connected_at: "2026-11-28T00:00:00Z" };
    expect(workersIn("mcp", { relays: [relay] })).toMatchObject([{ id: "tools", isReady: true, models: [] }]);
    expect(workersIn("llm", undefined)).toEqual([]);
  });

  test("are new unless they were there before", () => {
    expect(newAmong(workersIn("llm", { workers: [workerRow("idle")] }), new Set(["w1"]))).toEqual([]);
    expect(newAmong(workersIn("llm", { workers: [workerRow("idle")] }), new Set(["w2"]))).toHaveLength(1);
  });
});

test("an arrival goes from waiting, or late, to an answer", () => {
  expect(phaseOf(undefined, NO_ANSWER, 0)).toBe("waiting");
  expect(phaseOf(undefined, NO_ANSWER, USUAL_MS + 1)).toBe("late");
  expect(phaseOf(SILENT, NO_ANSWER, 0)).toBe("not_ready");
  expect(phaseOf(READY, NO_ANSWER, 0)).toBe("asking");
  expect(phaseOf(READY, { ...NO_ANSWER, isAsking: true }, 0)).toBe("asking");
  expect(phaseOf(READY, { ...NO_ANSWER, problem: "no" }, 0)).toBe("unanswered");
  expect(phaseOf(SILENT, { ...NO_ANSWER, isThere: true }, 0)).toBe("answered");
});
