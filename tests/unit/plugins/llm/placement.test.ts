import { expect, test } from "bun:test";
import { PromptAffinity } from "../../../../src/affinity/prompt-affinity.ts";
import { createCaller } from "../../../../src/auth/caller.ts";
import { Placement } from "../../../../src/plugins/llm/placement.ts";
import type { JobReport } from "../../../../src/pool/job-spec.ts";
import { Pool } from "../../../../src/pool/pool.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { ScriptedSession } from "../../../support/scripted-session.ts";

function setUp() {
  const clock = new FakeClock();
  const pool = new Pool({ clock, queueSize: 10, queueTimeoutMs: 1, modelGraceMs: 1, serverId: "s1", name: "llm" });
  for (const id of ["a", "b"]) pool.onOpened(new ScriptedSession(id, ["m"], 1, clock));
  const prompts = new PromptAffinity(
    () => clock.elapsed(),
    () => "a secret of this test",
  );
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, with: () => log };
  const caller = { ...createCaller("key"), address: undefined, route: "/", linger: () => {}, leave: () => {} };
  const request = new Request("http://server.test/v1/chat/completions");
  const visit = { request, requestId: "r", address: () => undefined };
  const place = (turns: readonly string[]): Placement => {
    const messages = turns.map((turn) => ({ role: "user", content: `${turn} `.repeat(200) }));
    return new Placement(
      { pool, prompts, log },
      { visit, caller, path: "/chat/completions", search: "", workerId: undefined },
      { model: "m", stream: false, value: { messages } },
    );
  };
  return { place };
}

/** The report of a job that a worker of another server has served. */
function servedBy(sessionId: string): JobReport {
  // Only these members are read.
  return { status: 200, claim: { sessionId, model: "m", worker: { id: "w", name: "w" } } } as unknown as JobReport;
}

const warm = (placement: Placement): string[] =>
  placement.affinity?.candidates("m").map(({ sessionId }) => sessionId) ?? [];

test("a conversation whose worker another server has chosen finds it at its next turn", () => {
  const { place } = setUp();
  const first = place(["one"]);
  first.sent("");
  expect(warm(place(["one", "two"]))).toEqual([]);
  first.ended(servedBy("s2~session"), undefined, () => "");
  expect(warm(place(["one", "two"]))).toEqual(["s2~session"]);
});

test("a worker that is known at once is learned at once, and not again at the end", () => {
  const { place } = setUp();
  const first = place(["one"]);
  first.sent("s1~session");
  expect(warm(place(["one", "two"]))).toEqual(["s1~session"]);
  place(["one"]).sent("s1~another");
  first.ended(servedBy("s1~session"), undefined, () => "");
  expect(warm(place(["one", "two"]))).toEqual(["s1~another", "s1~session"]);
});
