import { describe, expect, test } from "bun:test";
import { MemoryUsage } from "../../../../src/usage/memory-usage.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { KeyServer, type KeyServerOptions } from "../../../support/key-server.ts";
import { MemoryLinks } from "../../../support/memory-links.ts";

/** Long enough for everything to be known everywhere. */
const NEWS_MS = 300;

function cluster(ids: readonly string[], options: Partial<KeyServerOptions>) {
  const clock = new FakeClock();
  const links = new MemoryLinks(clock, 1);
  let runs = 0;
  const start = (id: string, more: Partial<KeyServerOptions> = {}): KeyServer => {
    runs += 1;
    return new KeyServer({ clock, links, id, epoch: `epoch-${runs}`, limits: {}, ...options, ...more });
  };
  const servers = ids.map((id) => start(id));
  links.connectAll();
  clock.advance(NEWS_MS);
  const kill = (server: KeyServer): void => {
    server.kill();
    for (const other of links.peersOf(server.id)) links.cut(server.id, other);
  };
  const restart = (id: string, more: Partial<KeyServerOptions> = {}): KeyServer => {
    const server = start(id, more);
    links.connectAll();
    clock.advance(NEWS_MS);
    return server;
  };
  const [a, b, c] = servers;
  if (!a || !b || !c) throw new Error("three servers are needed");
  return { clock, links, a, b, c, kill, restart };
}

const ABC = ["a", "b", "c"];
const DAY = { tokensPerDay: 1000 };
const quick = (tokens: number) => ({ tokens, durationMs: 1 });

describe("a budget over three servers", () => {
  test("counts at each server what was used at all of them", () => {
    const { clock, a, b, c } = cluster(ABC, { limits: DAY });
    a.ask(quick(700));
    b.ask(quick(200));
    clock.advance(NEWS_MS);
    for (const server of [a, b, c]) expect(server.used("tokens_per_day")).toBe(900);
    c.ask(quick(100));
    clock.advance(NEWS_MS);
    a.ask(quick(1));
    expect(a.refused).toBe(1);
  });

  test("goes on counting what a lost server has used, also at servers that come later", () => {
    const { clock, a, b, kill, restart } = cluster(ABC, { limits: DAY });
    a.ask(quick(700));
    clock.advance(NEWS_MS);
    kill(a);
    const d = restart("d");
    expect([b.used("tokens_per_day"), d.used("tokens_per_day")]).toEqual([700, 700]);
  });

  test("is known again to a server that has restarted without DATA_DIR", () => {
    const { clock, a, b, kill, restart } = cluster(ABC, { limits: DAY });
    a.ask(quick(700));
    clock.advance(NEWS_MS);
    kill(a);
    const again = restart("a");
    again.ask(quick(50));
    clock.advance(NEWS_MS);
    expect([again.used("tokens_per_day"), b.used("tokens_per_day")]).toEqual([750, 750]);
    kill(again);
    const third = restart("a");
    third.ask(quick(5));
    clock.advance(NEWS_MS);
    expect([third.used("tokens_per_day"), b.used("tokens_per_day")]).toEqual([755, 755]);
  });

  test("counts nothing twice that a restarted server has in its DATA_DIR", () => {
    const store = new MemoryUsage();
    const { clock, a, b, kill, restart } = cluster(ABC, { limits: DAY, store });
    a.ask(quick(700));
    clock.advance(NEWS_MS);
    a.stop();
    kill(a);
    const again = restart("a", { store });
    expect([again.used("tokens_per_day"), b.used("tokens_per_day")]).toEqual([700, 700]);
    again.ask(quick(20));
    clock.advance(NEWS_MS);
    expect([again.used("tokens_per_day"), b.used("tokens_per_day")]).toEqual([720, 720]);
  });

  test("counts nothing twice after a restart with a clock that was set back", () => {
    const { clock, links, a, b, kill, restart } = cluster(ABC, { limits: DAY });
    a.ask(quick(100));
    clock.advance(NEWS_MS);
    kill(a);
    const again = restart("a", { epoch: "earlier" });
    again.ask(quick(5));
    clock.advance(NEWS_MS);
    for (let round = 0; round < 3; round += 1) {
      // Servers that meet again tell each other all that they know.
      links.cut("b", "c");
      links.cut("a", "b");
      clock.advance(NEWS_MS);
      links.connectAll();
      again.ask(quick(1));
      clock.advance(NEWS_MS);
    }
    expect([again.used("tokens_per_day"), b.used("tokens_per_day")]).toEqual([108, 108]);
  });

  test("begins anew with the next day at all servers", () => {
    const { clock, a, b } = cluster(ABC, { limits: DAY });
    a.ask(quick(1000));
    clock.advance(NEWS_MS);
    expect(b.used("tokens_per_day")).toBe(1000);
    clock.advance(24 * 3_600_000);
    expect([a.used("tokens_per_day"), b.used("tokens_per_day")]).toEqual([0, 0]);
  });

  test("counts what a lost message told within 40 seconds, although the key is not used again", () => {
    const { clock, links, a, b, c } = cluster(ABC, { limits: DAY });
    links.isDead = true;
    a.ask(quick(700));
    clock.advance(15_000);
    links.isDead = false;
    expect([b, c].map((server) => server.used("tokens_per_day"))).toEqual([0, 0]);
    clock.advance(26_000);
    expect([b, c].map((server) => server.used("tokens_per_day"))).toEqual([700, 700]);
  });

  test("adds up again what two parts of a divided network have used", () => {
    const { clock, links, a, b, c } = cluster(ABC, { limits: DAY });
    links.cut("a", "b");
    links.cut("a", "c");
    a.ask(quick(300));
    b.ask(quick(200));
    clock.advance(NEWS_MS);
    expect([a, b, c].map((server) => server.used("tokens_per_day"))).toEqual([300, 200, 200]);
    links.connectAll();
    clock.advance(NEWS_MS);
    expect([a, b, c].map((server) => server.used("tokens_per_day"))).toEqual([500, 500, 500]);
  });
});

describe("jobs at once over three servers", () => {
  const limits = { parallel: 4 };
  const long = { tokens: 1, durationMs: 10_000 };

  test("are those of all servers, and a waiting one begins when another server's has ended", () => {
    const { clock, a, b } = cluster(ABC, { limits });
    for (let each = 0; each < 4; each += 1) a.ask({ tokens: 1, durationMs: 2000 });
    clock.advance(NEWS_MS);
    b.ask(long);
    expect([b.running, b.waiting.length, b.used("parallel")]).toEqual([0, 1, 4]);
    clock.advance(2000);
    expect([a.running, b.running]).toEqual([0, 1]);
  });

  test("are divided evenly while requests wait at several servers", () => {
    const { clock, a, b, c } = cluster(ABC, { limits: { parallel: 3 } });
    for (let each = 0; each < 60; each += 1) for (const server of [a, b, c]) server.ask({ tokens: 1, durationMs: 500 });
    clock.advance(3000);
    const samples: number[][] = [[], [], []];
    for (let at = 0; at < 200; at += 1) {
      clock.advance(17);
      for (const [each, server] of [a, b, c].entries()) samples[each]?.push(server.running);
    }
    for (const each of samples) {
      const mean = each.reduce((sum, running) => sum + running, 0) / each.length;
      expect(mean).toBeGreaterThan(0.7);
      expect(mean).toBeLessThan(1.3);
    }
  });

  test("pass from server to server even if only one may run", () => {
    const { clock, a, b, c } = cluster(ABC, { limits: { parallel: 1 } });
    for (let each = 0; each < 100; each += 1)
      for (const server of [a, b, c]) server.ask({ tokens: 1, durationMs: 100 });
    clock.advance(20_000);
    const done = [a, b, c].map(({ waiting }) => 100 - waiting.length);
    expect(Math.max(...done) - Math.min(...done)).toBeLessThanOrEqual(12);
    expect(Math.min(...done)).toBeGreaterThan(10);
  });

  test("of a killed server count for three seconds more", () => {
    const { clock, a, b, kill } = cluster(ABC, { limits });
    for (let each = 0; each < 4; each += 1) a.ask(long);
    clock.advance(NEWS_MS);
    kill(a);
    b.ask(long);
    clock.advance(1000);
    expect(b.running).toBe(0);
    clock.advance(4000);
    expect(b.running).toBe(1);
  });
});

describe("a limit per minute over three servers", () => {
  test("holds requests back because of those of another server, and lets them in when those are a minute old", () => {
    const { clock, a, b } = cluster(ABC, { limits: { requestsPerMinute: 10 } });
    for (let each = 0; each < 10; each += 1) a.ask(quick(1));
    clock.advance(NEWS_MS);
    b.ask(quick(1));
    expect([b.letIn.length, b.used("requests_per_minute")]).toEqual([0, 10]);
    clock.advance(58_000);
    expect(b.letIn.length).toBe(0);
    clock.advance(4000);
    expect(b.letIn.length).toBe(1);
  });

  test("is divided evenly while requests wait at several servers", () => {
    const { clock, a, b, c } = cluster(ABC, { limits: { requestsPerMinute: 30 } });
    for (const server of [a, b, c]) for (let each = 0; each < 200; each += 1) server.ask(quick(1));
    clock.advance(600_000);
    const counts = [a, b, c].map(({ letIn }) => letIn.length);
    // At first each server lets in the whole limit, because it does not know of the others.
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(12);
    const last = [a, b, c].flatMap(({ letIn }) => letIn).filter((at) => at > clock.elapsed() - 60_000);
    expect(last.length).toBeLessThanOrEqual(30 + 6);
    expect(last.length).toBeGreaterThanOrEqual(24);
  });

  test("counts tokens, also those that are reserved", () => {
    const { clock, a, b } = cluster(ABC, { limits: { tokensPerMinute: 100 } });
    a.ask({ tokens: 80, durationMs: 5000 });
    clock.advance(NEWS_MS);
    b.ask(quick(30));
    expect([b.letIn.length, b.used("tokens_per_minute")]).toEqual([0, 80]);
    b.leave();
    b.ask(quick(20));
    expect(b.letIn.length).toBe(1);
    clock.advance(70_000);
    b.ask(quick(100));
    expect(b.letIn.length).toBe(2);
  });
});

test("a cluster in which nothing runs sends nothing", () => {
  const { clock, links, a } = cluster(ABC, { limits: { parallel: 4, tokensPerDay: 1000, requestsPerMinute: 5 } });
  a.ask(quick(1));
  clock.advance(120_000);
  const { sent } = links;
  clock.advance(600_000);
  expect(links.sent).toBe(sent);
});
