import { describe, expect, test } from "bun:test";
import { PromptAffinity } from "../../../../src/affinity/prompt-affinity.ts";
import type { RequestAffinity } from "../../../../src/affinity/request-affinity.ts";
import { Prefixes } from "../../../../src/cluster/sharing/prefixes.ts";
import { Tells } from "../../../../src/cluster/tells.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryLinks } from "../../../support/memory-links.ts";

const turn = (name: string): object => ({ role: "user", content: `${name} `.repeat(200) });

function create(secrets: readonly string[]) {
  const clock = new FakeClock();
  const links = new MemoryLinks(clock);
  const servers = secrets.map((secret, at) => {
    const prefixes = new Prefixes(clock, new Tells(links.join(`s${at}`)));
    return new PromptAffinity(
      () => clock.elapsed(),
      () => secret,
      prefixes.of("llm"),
    );
  });
  links.connectAll();
  const ask = (server: number, turns: readonly string[], tenant = "default"): RequestAffinity => {
    const headers = new Headers();
    const body = { messages: turns.map(turn) };
    const common = { tenant, caller: "api-key:1", model: "m", path: "/chat/completions" };
    const request = servers[server]?.of({ ...common, headers, body });
    if (!request) throw new Error("nothing to recognize the request by");
    return request;
  };
  const warm = (request: RequestAffinity): string[] => request.candidates("m").map(({ sessionId }) => sessionId);
  return { clock, links, servers, ask, warm };
}

const SAME = ["the cluster's secret", "the cluster's secret"];

describe("a conversation that goes on at another server", () => {
  test("finds the worker that had its last turn", () => {
    const { clock, ask, warm } = create(SAME);
    ask(0, ["a"]).sent("s0-session");
    expect(warm(ask(1, ["a", "b"]))).toEqual([]);
    clock.advance(110);
    expect(warm(ask(1, ["a", "b"]))).toEqual(["s0-session"]);
    ask(1, ["a", "b"]).sent("s1-session");
    clock.advance(110);
    expect(warm(ask(0, ["a", "b", "c"]))).toEqual(["s1-session", "s0-session"]);
  });

  test("finds nothing of other tenants, nor on a server with another secret", () => {
    const { clock, ask, warm } = create([...SAME, "another secret"]);
    ask(0, ["a"]).sent("s0-session");
    clock.advance(110);
    expect(warm(ask(1, ["a", "b"], "others"))).toEqual([]);
    expect(warm(ask(2, ["a", "b"]))).toEqual([]);
  });

  test("finds the worker that has the response which it continues, if its tenant does", () => {
    const { clock, servers } = create(SAME);
    servers[0]?.learnResponse("resp_1", "default", "worker");
    clock.advance(110);
    expect(servers[1]?.homeOf("resp_1", "default")).toBe("worker");
    expect(servers[1]?.homeOf("resp_1", "others")).toBeUndefined();
  });

  test("costs a message in a tenth of a second at most, and none for what is known", () => {
    const { clock, links, ask } = create(SAME);
    for (let ms = 0; ms < 1000; ms += 1) {
      ask(0, ["a", `${ms % 500}`]).sent("s0-session");
      clock.advance(1);
    }
    expect(links.sent).toBeLessThanOrEqual(6);
  });

  test("is limited to a number of hashes in one message", () => {
    const { clock, servers, ask } = create(SAME);
    for (let each = 0; each < 5000; each += 1) ask(0, [`${each}`]).sent("s0-session");
    clock.advance(110);
    expect(servers[0]?.facts().hashes).toBeGreaterThan(4096);
    expect(servers[1]?.facts().hashes).toBe(4096);
  });
});
