import { describe, expect, test } from "bun:test";
import { FailureLimit } from "../../../../src/auth/failure-limit.ts";
import { Failures } from "../../../../src/cluster/sharing/failures.ts";
import { type TellLine, Tells } from "../../../../src/cluster/tells.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryLinks } from "../../../support/memory-links.ts";

function create(count: number, limit: number) {
  const clock = new FakeClock();
  const links = new MemoryLinks(clock);
  const texts: string[] = [];
  const servers = Array.from({ length: count }, (_, at) => {
    const line: TellLine = links.join(`s${at}`);
    const { tell } = line;
    line.tell = (peer, text) => {
      texts.push(text);
      return tell.call(line, peer, text);
    };
    const failures = new Failures(clock, new Tells(line), () => "a secret of the cluster");
    return {
      keys: new FailureLimit(limit, clock, failures.of("key")),
      tokens: new FailureLimit(limit, clock, failures.of("token")),
    };
  });
  links.connectAll();
  const at = (server: number) => {
    const found = servers[server];
    if (!found) throw new Error(`no server ${server}`);
    return found;
  };
  return { clock, texts, at };
}

describe("wrong keys of one address", () => {
  test("are limited over all servers", () => {
    const { clock, at } = create(3, 6);
    for (const server of [0, 1, 2]) for (let key = 0; key < 2; key += 1) at(server).keys.count("203.0.113.9");
    clock.advance(100);
    for (const server of [0, 1, 2]) expect(at(server).keys.count("203.0.113.9")).toBeGreaterThan(0);
    expect(at(0).keys.count("203.0.113.10")).toBeUndefined();
    clock.advance(60_000);
    expect(at(1).keys.count("203.0.113.9")).toBeUndefined();
  });

  test("count apart from wrong tokens of relays", () => {
    const { clock, at } = create(2, 1);
    at(0).tokens.count("203.0.113.9");
    clock.advance(100);
    expect(at(1).keys.count("203.0.113.9")).toBeUndefined();
    expect(at(1).tokens.count("203.0.113.9")).toBeGreaterThan(0);
  });

  test("are told without the address, and no more often than one server counts", () => {
    const { clock, texts, at } = create(2, 3);
    for (let key = 0; key < 1000; key += 1) {
      at(0).keys.count("203.0.113.9");
      clock.advance(25);
    }
    expect(texts.length).toBeLessThanOrEqual(3);
    expect(texts.join()).not.toContain("203.0.113");
  });
});
