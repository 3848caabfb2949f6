import { describe, expect, test } from "bun:test";
import { PromptAffinity, type PromptRequest } from "../../../src/affinity/prompt-affinity.ts";
import type { RequestAffinity } from "../../../src/affinity/request-affinity.ts";

const text = (name: string): string => `${name} `.repeat(200);
const user = (name: string): object => ({ role: "user", content: text(name) });

/** A memory with a clock that the test sets, and requests of one caller. */
function rig(): {
  affinity: PromptAffinity;
  set(now: number): void;
  ask(messages: readonly object[], more?: Partial<PromptRequest>): RequestAffinity;
} {
  let now = 0;
  const affinity = new PromptAffinity(
    () => now,
    () => "a secret of this test",
  );
  const common = { tenant: "default", caller: "api-key:1", model: "m", path: "/chat/completions" };
  return {
    affinity,
    set(to) {
      now = to;
    },
    ask(messages, more) {
      const request = affinity.of({ ...common, headers: new Headers(), body: { messages }, ...more });
      if (!request) throw new Error("nothing to recognize the request by");
      return request;
    },
  };
}

const idsOf = (request: RequestAffinity): string[] => request.candidates("m").map(({ sessionId }) => sessionId);

describe("what is known of a request", () => {
  test("the next turn of a conversation finds the worker that had the last one, with its share", () => {
    const { ask } = rig();
    expect(ask([user("a")]).candidates("m")).toEqual([]);
    ask([user("a")]).sent("s1");
    ask([user("b")]).sent("s2");
    const [warm, ...others] = ask([user("a"), user("x"), user("y")]).candidates("m");
    expect(warm).toMatchObject({ sessionId: "s1", source: "prefix" });
    expect(warm?.share).toBeCloseTo(1 / 3, 1);
    expect(others).toEqual([]);
  });

  test("the longest match is first, then the newest", () => {
    const { ask, set } = rig();
    ask([user("system"), user("a")]).sent("s1");
    set(1000);
    ask([user("system"), user("b")]).sent("s2");
    ask([user("system"), user("c")]).sent("s3");
    expect(idsOf(ask([user("system"), user("a"), user("more")]))).toEqual(["s1", "s3", "s2"]);
    expect(idsOf(ask([user("system"), user("d")]))).toEqual(["s3", "s2", "s1"]);
  });

  test("a conversation that had to move on stays where it was last", () => {
    const { ask } = rig();
    ask([user("a")]).sent("s1");
    ask([user("a"), user("b")]).sent("s2");
    expect(idsOf(ask([user("a"), user("b"), user("c")]))).toEqual(["s2", "s1"]);
  });

  test("a beginning that is less than a tenth of the prompt says nothing", () => {
    const { ask } = rig();
    const system = user("system");
    const document = (name: string): object => ({ role: "user", content: `${name} `.repeat(20_000) });
    ask([system, document("a")]).sent("s1");
    expect(idsOf(ask([system, document("b")]))).toEqual([]);
    expect(idsOf(ask([system, user("b")]))).toEqual(["s1"]);
  });

  test("everything is forgotten after ten minutes", () => {
    const { ask, set } = rig();
    ask([user("a")]).sent("s1");
    set(9 * 60_000);
    expect(idsOf(ask([user("a")]))).toEqual(["s1"]);
    set(11 * 60_000);
    expect(idsOf(ask([user("a")]))).toEqual([]);
  });

  test("a session header finds the worker although the prompt begins otherwise", () => {
    const { ask } = rig();
    const headers = new Headers({ "x-session-id": "conversation-1" });
    ask([user("a")], { headers }).sent("s1");
    expect(ask([user("summary")], { headers }).candidates("m")).toEqual([
      { sessionId: "s1", share: 0.5, source: "session" },
    ]);
    expect(ask([user("a"), user("b"), user("c"), user("d")], { headers }).candidates("m")[0]?.source).toBe("session");
  });

  test("a longer match goes before the session, as for an agent's helper that has a conversation of its own", () => {
    const { ask } = rig();
    const headers = new Headers({ "x-claude-code-session-id": "c1" });
    const helper = [user("helper"), user("h1"), user("h2")];
    ask(helper, { headers }).sent("s2");
    ask([user("main")], { headers }).sent("s1");
    expect(idsOf(ask([...helper, user("h3")], { headers }))).toEqual(["s2", "s1"]);
    expect(idsOf(ask([user("main"), user("m2")], { headers }))).toEqual(["s1", "s2"]);
  });

  test("a cache key counts like a session, and says so", () => {
    const { ask } = rig();
    const body = { prompt_cache_key: "k", messages: [user("a")] };
    ask([], { body }).sent("s1");
    expect(ask([], { body: { ...body, messages: [user("b")] } }).candidates("m")).toEqual([
      { sessionId: "s1", share: 0.5, source: "cache_key" },
    ]);
  });

  test("no caller finds the session of another, and no tenant the prompt of another", () => {
    const { ask } = rig();
    const headers = new Headers({ "x-session-id": "1" });
    ask([user("a")], { headers }).sent("s1");
    const other = { caller: "api-key:2", headers };
    expect(ask([user("b")], other).candidates("m")).toEqual([]);
    expect(ask([user("a")], other).candidates("m")).toMatchObject([{ source: "prefix", share: 1 }]);
    expect(ask([user("a")], { tenant: "theirs" }).candidates("m")).toEqual([]);
    expect(ask([user("a")], { model: "m2" }).candidates("m2")).toEqual([]);
  });

  test("nothing is predicted for the first request, and the share that matched for the next ones", () => {
    const { ask } = rig();
    const first = ask([user("a")]);
    first.sent("s1");
    expect(first.predictedShare).toBe(0);
    const second = ask([user("a"), user("b")]);
    second.sent("s2");
    expect(second.predictedShare).toBe(0);
    second.sent("s1");
    expect(second.predictedShare).toBeCloseTo(0.5, 1);
  });

  test("a request that is retried elsewhere is expected where it goes, not where it failed", () => {
    const { ask } = rig();
    ask([user("a")]).sent("s1");
    const retried = ask([user("a")]);
    retried.sent("s1");
    retried.sent("s2");
    expect(retried.predictedShare).toBe(0);
    expect(idsOf(ask([user("a")]))).toEqual(["s2", "s1"]);
  });
});

describe("what answers teach", () => {
  const by = { worker: { id: "w1" }, sessionId: "s1", model: "m" };

  test("a worker whose backend keeps no prompts is no candidate any more, for ten minutes", () => {
    const { affinity, ask, set } = rig();
    ask([user("a")]).sent("s1");
    let cold: unknown;
    for (let at = 0; at < 20; at += 1) {
      const request = ask([user("a")]);
      request.sent("s1");
      cold = affinity.ended(request, by, { input_tokens: 200, cached_tokens: 0 });
    }
    expect(cold).toMatchObject({ workerId: "w1", model: "m" });
    expect(idsOf(ask([user("a")]))).toEqual([]);
    expect([affinity.isCold("m", 2), affinity.isCold("m", 1), affinity.isCold("other", 1)]).toEqual([
      false,
      true,
      false,
    ]);
    expect(affinity.facts().cold).toHaveLength(1);
    set(10 * 60_000);
    expect(idsOf(ask([user("a")]))).toEqual(["s1"]);
    expect(affinity.isCold("m", 1)).toBe(false);
  });

  test("backends that state no cached tokens are never judged", () => {
    const { affinity, ask } = rig();
    for (let at = 0; at < 50; at += 1) {
      const request = ask([user("a")]);
      request.sent("s1");
      affinity.ended(request, by, at % 2 ? { input_tokens: 200 } : undefined);
    }
    expect(idsOf(ask([user("a")]))).toEqual(["s1"]);
    expect(affinity.facts().models.size).toBe(0);
  });

  test("sums and sizes are told", () => {
    const { affinity, ask } = rig();
    ask([user("a")]).sent("s1");
    const request = ask([user("a")]);
    request.sent("s1");
    affinity.ended(request, by, { input_tokens: 200, cached_tokens: 150 });
    affinity.learnResponse("resp_1", "default", "w1");
    expect(affinity.facts()).toMatchObject({ hashes: 1, maxHashes: 50_000, responses: 1, cold: [] });
    expect(affinity.facts().models.get("m")).toEqual({ predictedTokens: 200, cachedTokens: 150 });
    expect(affinity.homeOf("resp_1", "default")).toBe("w1");
    expect(affinity.homeOf("resp_1", "theirs")).toBeUndefined();
  });
});
