import { expect, test } from "bun:test";
import { keyJson } from "../../../../src/admin/key-json.ts";
import { KeyBook } from "../../../../src/keys/key-book.ts";
import type { KeyKind } from "../../../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../../../src/keys/key-records.ts";
import type { KeyTerms } from "../../../../src/keys/key-terms.ts";
import type { LimitState } from "../../../../src/limits/limit-state.ts";
import { callerOf, factsOf, toKeyRow, workByCaller } from "../../../../views/client/key-row.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const clock = new FakeClock();

function keyOf(kind: KeyKind, terms: Partial<KeyTerms> = {}, states: readonly LimitState[] = []) {
  const book = new KeyBook({ records: createMemoryRecords(), clock, maxRequests: 1000 });
  const { entry } = book.create({ kind, terms: { name: kind, limits: {}, ...terms } }, { by: "admin-key:1" });
  return keyJson(entry, states, clock.now());
}

test("a limit is a bar with both figures, and a budget says when it resets", () => {
  const resetsAt = Date.parse("2026-12-01T00:00:00Z");
  const key = keyOf("client", {}, [
    { limit: "parallel", used: 4, max: 4, resetsAt: undefined },
    { limit: "tokens_per_day", used: 1_200_000, max: 2_000_000, resetsAt },
    { limit: "audio_seconds_per_week", used: 0, max: 36_000, resetsAt },
  ]);
  expect(toKeyRow(key).limitLines).toEqual([
    { limit: "parallel", label: "parallel", used: 4, max: 4, text: "4 of 4", isFull: true, resetsAt: null },
    {
      limit: "tokens_per_day",
      label: "tokens/day",
      used: 1_200_000,
      max: 2_000_000,
      text: "1.2 M of 2 M",
      isFull: false,
      resetsAt: "2026-12-01T00:00:00.000Z",
    },
    {
      limit: "audio_seconds_per_week",
      label: "audio/week",
      used: 0,
      max: 36_000,
      text: "0 of 10 h",
      isFull: false,
      resetsAt: "2026-12-01T00:00:00.000Z",
    },
  ]);
});

test("a key shows what its kind is about", () => {
  expect(toKeyRow(keyOf("client", { tenant: "research" }))).toMatchObject({ kindText: "client", detail: "research" });
  expect(toKeyRow(keyOf("client")).detail).toBe("");
  expect(toKeyRow(keyOf("join", { maxUses: 5 }))).toMatchObject({
    kindText: "join token",
    detail: "used 0 of 5 times",
  });
  expect(toKeyRow(keyOf("worker", { tenants: ["a", "b"] })).detail).toBe("a · b");
  expect(toKeyRow({ ...keyOf("worker"), worker_id: "gpu-1" }).detail).toBe("worker gpu-1");
});

test("a key of the file, or one that was revoked, cannot be changed here", () => {
  const key = keyOf("client");
  expect(toKeyRow(key).isChangeable).toBe(true);
  expect(toKeyRow({ ...key, source: "file" }).isChangeable).toBe(false);
  expect(toKeyRow({ ...key, status: "revoked" }).isChangeable).toBe(false);
  expect(toKeyRow({ ...key, status: "expired" }).isChangeable).toBe(true);
});

test("the details leave out what is not set or means nothing for the kind", () => {
  const labels = factsOf(keyOf("admin")).map(({ label }) => label);
  expect(labels).toEqual(["Id", "Starts with", "Kind", "Models", "Created"]);
  expect(factsOf(keyOf("client", { limits: { onLimit: "refuse" } }))).toContainEqual({
    label: "At a limit",
    value: "refuses",
  });
});

test("the work of a key is that of its caller over all plugins, classes and end users", () => {
  const caller = { end_user: null, class: "normal", limit: null, oldest_wait_ms: null, share: 0, fair_share: 0 };
  const work = workByCaller({
    llm: {
      callers: [
        { ...caller, name: "key:a", running: 1, waiting: 3, held: 2 },
        { ...caller, name: "key:a", end_user: "u", running: 1, waiting: 0, held: 0 },
      ],
    },
    asr: { callers: [{ ...caller, name: "key:a", running: 0, waiting: 1, held: 0 }] },
  });
  expect(work.get(callerOf({ id: "a", source: "made" }))).toEqual({ running: 2, waiting: 4, held: 2 });
  expect(work.get(callerOf({ id: "file:a", source: "file" }))).toBeUndefined();
});
