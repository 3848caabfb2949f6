import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { KeyLimits } from "../../../../../src/keys/key-terms.ts";
import { REST_MS } from "../../../../../src/pool/slots.ts";
import { type Asked, LimitedRig, QUEUE_TIMEOUT_MS } from "../../../../support/limited-rig.ts";
import { times } from "../../../../support/times.ts";

const MINUTE_MS = 60_000;

describe("parallel", () => {
  test("lets 4 of 200 jobs run at once, and never a fifth, until all have run", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 4 });
    rig.connect("w1", 20);
    rig.connect("w2", 20);
    for (let count = 0; count < 200; count += 1) rig.ask("a");
    let ended = 0;
    for (let running = rig.running("a"); running.length > 0; running = rig.running("a")) {
      expect(running.length).toBe(Math.min(4, 200 - ended));
      const [first] = running;
      if (first) rig.end(first);
      ended += 1;
    }
    expect(ended).toBe(200);
    expect(rig.wrongs).toEqual([]);
  });

  test("holds up no other caller, and goes on when one of the jobs ends", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 2 });
    rig.connect("w", 4);
    const held = [rig.ask("a"), rig.ask("a"), rig.ask("a")][2];
    expect(held?.wait?.limit()).toBe("parallel");
    expect(rig.ask("b").claim).toBeDefined();
    const running = rig.running("a")[0];
    if (running) rig.end(running);
    expect(held?.claim).toBeDefined();
  });

  test("counts jobs of all pools together, and wakes those of the other pool", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 1 });
    rig.connect("w", 4);
    const audio = rig.createPool("asr");
    rig.connect("w", 4, ["m"], audio);
    const first = rig.ask("a");
    const second = rig.ask("a", {}, audio);
    expect(second.claim).toBeUndefined();
    rig.end(first);
    expect(second.claim).toBeDefined();
    expect(rig.ask("a").claim).toBeUndefined();
  });

  test("counts each part of a request, while the request counts once per minute", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 2, requestsPerMinute: 1 });
    rig.connect("w", 4);
    const first = rig.ask("a");
    const parts = [rig.ask("a", { of: first }), rig.ask("a", { of: first })];
    expect(parts.map(({ claim }) => claim !== undefined)).toEqual([true, false]);
    first.claim?.release();
    expect(parts[1]?.claim).toBeDefined();
    expect(rig.ask("a").wait?.limit()).toBe("requests_per_minute");
  });

  test("takes a request that is sent elsewhere back at its place, and counts it once", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 1, requestsPerMinute: 2 });
    rig.connect("w", 4);
    const first = rig.ask("a");
    const second = rig.ask("a");
    first.claim?.release();
    expect(second.claim).toBeDefined();
    first.claim = undefined;
    const back = rig.ask("a", { of: first });
    expect(back.wait?.limit()).toBe("parallel");
    rig.end(second);
    expect(back.claim).toBeDefined();
    expect(rig.charges.allowances.of("a")?.requestsLeft(rig.clock.elapsed())?.left).toBe(0);
  });

  test("lets the end users of a key take turns", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 1 });
    rig.connect("w", 4);
    const first = rig.ask("a", { endUser: "busy" });
    for (let count = 0; count < 5; count += 1) rig.ask("a", { endUser: "busy" });
    const other = rig.ask("a", { endUser: "rare" });
    rig.end(first);
    const [second] = rig.running("a");
    if (second) rig.end(second);
    expect(other.begunAt).toBeDefined();
  });

  test("raised while jobs wait lets them go on", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 1 });
    rig.connect("w", 4);
    for (let count = 0; count < 4; count += 1) rig.ask("a");
    rig.limit("a", { parallel: 3 });
    expect(rig.running("a").length).toBe(3);
    rig.limit("a", {});
    expect(rig.running("a").length).toBe(4);
  });
});

describe("a limit per minute", () => {
  test("lets requests in by their numbers when the minute is over, and a newcomer not before them", () => {
    const rig = new LimitedRig();
    rig.limit("a", { requestsPerMinute: 2 });
    rig.connect("w", 10);
    const all = Array.from({ length: 5 }, () => rig.ask("a"));
    expect(all.map(({ claim }) => claim !== undefined)).toEqual([true, true, false, false, false]);
    expect(all.slice(2).map(({ wait }) => wait?.position())).toEqual([1, 2, 3]);
    expect(all[4]?.wait?.limit()).toBe("requests_per_minute");
    rig.clock.advance(MINUTE_MS - 1);
    expect(all[2]?.claim).toBeUndefined();
    rig.clock.advance(1000);
    expect(all.map(({ claim }) => claim !== undefined)).toEqual([true, true, true, true, false]);
    expect(rig.ask("a").claim).toBeUndefined();
  });

  test("is no reason to wait behind a busy worker: what was let in waits there with its time of arrival at the queue", () => {
    const rig = new LimitedRig();
    rig.limit("a", { requestsPerMinute: 1 });
    rig.connect("w", 1);
    const first = rig.ask("a");
    const second = rig.ask("a");
    rig.clock.advance(MINUTE_MS + 1000);
    expect(second.wait?.limit()).toBeUndefined();
    expect(second.ticket.charge?.admittedAt).toBeGreaterThan(second.ticket.arrivedAt + MINUTE_MS - 1);
    rig.end(first);
    expect(second.claim).toBeDefined();
  });

  test("of tokens reserves what a request is expected to use, and counts what it has used", () => {
    const rig = new LimitedRig();
    rig.limit("a", { tokensPerMinute: 1000 });
    rig.connect("w", 10);
    const first = rig.ask("a", { tokens: 600 });
    const second = rig.ask("a", { tokens: 600 });
    expect(second.wait?.limit()).toBe("tokens_per_minute");
    rig.end(first, 300);
    expect(second.claim).toBeDefined();
  });

  test("of tokens lets a small request in as soon as the large one before it has left", () => {
    const rig = new LimitedRig();
    rig.limit("a", { tokensPerMinute: 1000 });
    rig.connect("w", 10);
    rig.end(rig.ask("a", { tokens: 500 }), 500);
    const large = rig.ask("a", { tokens: 900 });
    const small = rig.ask("a", { tokens: 100 });
    expect(small.wait?.limit()).toBe("tokens_per_minute");
    large.wait?.leave();
    rig.clock.advance(10);
    expect(small.claim).toBeDefined();
    expect(rig.clock.pending).toBe(0);
  });

  test("refuses at once what would wait for longer than a request may", () => {
    const rig = new LimitedRig();
    rig.limit("a", { requestsPerMinute: 1 });
    rig.connect("w", 10);
    const all = Array.from({ length: 5 }, () => rig.ask("a"));
    expect(all.map(({ fault }) => fault?.code)).toEqual([
      undefined,
      undefined,
      undefined,
      "rate_limit_exceeded",
      "rate_limit_exceeded",
    ]);
    expect(all[3]?.fault).toMatchObject({ status: 429, retryAfterS: 60, limit: "requests_per_minute" });
  });
});

test("a key that refuses at its limits gets 429 at once with Retry-After", () => {
  const rig = new LimitedRig();
  rig.limit("a", { parallel: 1, onLimit: "refuse" });
  rig.connect("w", 10);
  rig.ask("a");
  expect(rig.ask("a").fault).toMatchObject({ code: "rate_limit_exceeded", limit: "parallel", retryAfterS: 2 });
});

describe("a key that refuses at its limits", () => {
  test("is refused at a limit of its tenant as well, although other keys of it wait there", () => {
    const rig = new LimitedRig();
    rig.limit("a", { onLimit: "refuse" });
    rig.share("team", { requestsPerMinute: 1 }, "a", "b");
    rig.connect("w", 10);
    rig.ask("b");
    expect(rig.ask("a").fault?.code).toBe("rate_limit_exceeded");
    expect(rig.ask("b").wait?.limit()).toBe("tenant.requests_per_minute");
  });

  test("waits for the turn of another key, and is refused once a limit says no to itself", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 100, onLimit: "refuse" });
    rig.share("team", { tokensPerMinute: 1000 }, "a", "b");
    rig.connect("w", 10);
    rig.end(rig.ask("b"), 500);
    const large = rig.ask("b", { tokens: 900 });
    const small = rig.ask("a", { tokens: 300 });
    expect([small.fault, small.claim]).toEqual([undefined, undefined]);
    rig.clock.advance(61_000);
    expect(large.claim).toBeDefined();
    expect(small.fault?.code).toBe("rate_limit_exceeded");
    expect(rig.waiting("a")).toEqual([]);
  });

  test("is served when its turn comes and its limits allow it", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 100, onLimit: "refuse" });
    rig.share("team", { tokensPerMinute: 1000 }, "a", "b");
    rig.connect("w", 10);
    rig.end(rig.ask("b"), 500);
    rig.ask("b", { tokens: 600 });
    const small = rig.ask("a", { tokens: 300 });
    rig.clock.advance(61_000);
    expect(small.claim).toBeDefined();
  });

  test("may be told so while requests wait, which are refused then", () => {
    const rig = new LimitedRig();
    rig.limit("a", { requestsPerMinute: 1 });
    rig.connect("w", 10);
    rig.ask("a");
    const held = rig.ask("a");
    expect(held.wait?.limit()).toBe("requests_per_minute");
    rig.limit("a", { requestsPerMinute: 1, onLimit: "refuse" });
    expect(held.fault?.code).toBe("rate_limit_exceeded");
  });
});

describe("a key that is moved to another tenant", () => {
  test("takes its waiting requests along: they wait no longer for the limits of the former one", () => {
    const rig = new LimitedRig();
    rig.share("full", { requestsPerMinute: 1, tokensPerDay: 1000 }, "a", "b");
    rig.share("free", { requestsPerMinute: 10 }, "c");
    rig.connect("w", 10);
    rig.ask("b");
    const [held, other] = [rig.ask("a"), rig.ask("b")];
    rig.move("a", "free");
    expect(held.claim).toBeDefined();
    expect(other.wait?.limit()).toBe("tenant.requests_per_minute");
    expect(rig.charges.allowances.of("tenant:free")?.requestsLeft(rig.clock.elapsed())?.left).toBe(9);
    expect(rig.charges.allowances.of("tenant:full")?.waiting).toBe(1);
    // Also to a tenant without limits.
    rig.move("b", "plain");
    expect(other.claim).toBeDefined();
    rig.end(held);
    rig.end(other);
    expect(rig.charges.allowances.of("tenant:full")?.waiting).toBe(0);
  });

  test("does not keep the keys of its former tenant waiting for its turn", () => {
    const rig = new LimitedRig();
    rig.share("team", { tokensPerMinute: 1000 }, "a", "b");
    rig.share("other", { tokensPerMinute: 100 }, "c");
    rig.connect("w", 10);
    rig.ask("b", { tokens: 500 });
    rig.ask("a", { tokens: 900 });
    const small = rig.ask("b", { tokens: 300 });
    expect(small.claim).toBeUndefined();
    rig.move("a", "other");
    rig.clock.advance(2);
    expect(small.claim).toBeDefined();
  });

  test("waits for the limits of the new one alone, also after a later request of it has ended", () => {
    const rig = new LimitedRig();
    rig.share("old", { parallel: 1 }, "a", "b");
    rig.share("new", { parallel: 5 });
    rig.connect("w1", 1, ["m"]);
    rig.connect("w2", 1, ["rare"]);
    const [onRare, onM] = [rig.ask("free", { model: "rare" }), rig.ask("free")];
    const [first, later] = [rig.ask("a", { model: "rare" }), rig.ask("a")];
    rig.end(onM);
    rig.end(later);
    rig.move("a", "new");
    expect(rig.ask("b").claim).toBeDefined();
    expect(first.wait?.limit()).toBeUndefined();
    rig.end(onRare);
    expect(first.claim).toBeDefined();
  });

  test("waits for the jobs of the new one, while what runs and was counted stays where it began", () => {
    const rig = new LimitedRig();
    rig.share("one", { parallel: 1, requestsPerMinute: 5 }, "a");
    rig.share("two", { parallel: 1, requestsPerMinute: 5 }, "b");
    rig.connect("w", 10);
    const [running, own] = [rig.ask("a"), rig.ask("b")];
    const held = rig.ask("a");
    rig.move("a", "two");
    expect(held.claim).toBeUndefined();
    rig.end(running);
    expect(held.claim).toBeUndefined();
    rig.end(own);
    expect(held.claim).toBeDefined();
    rig.end(held);
    const left = ["one", "two"].map((name) => rig.charges.allowances.of(`tenant:${name}`));
    expect(left.map((each) => each?.running)).toEqual([0, 0]);
    expect(left.map((each) => each?.isInUse)).toEqual([false, false]);
  });
});

test("max_waiting bounds the jobs of a key that wait", () => {
  const rig = new LimitedRig();
  rig.limit("a", { parallel: 1, maxWaiting: 2 });
  rig.connect("w", 10);
  const all = Array.from({ length: 4 }, () => rig.ask("a"));
  expect(all.map(({ fault }) => fault?.limit)).toEqual([undefined, undefined, undefined, "max_waiting"]);
});

test("a wait that ends at its deadline names the limit", () => {
  const rig = new LimitedRig();
  rig.limit("a", { parallel: 1 });
  rig.connect("w", 10);
  rig.ask("a");
  const held = rig.ask("a");
  rig.clock.advance(QUEUE_TIMEOUT_MS);
  expect(held.fault).toMatchObject({ code: "rate_limit_exceeded", limit: "parallel" });
});

describe("a budget", () => {
  test("that is used up refuses newcomers and pending requests", () => {
    const rig = new LimitedRig();
    rig.limit("a", { tokensPerDay: 100 });
    rig.connect("w", 10);
    const first = rig.ask("a", { tokens: 100 });
    const held = rig.ask("a", { tokens: 100 });
    expect(held.wait?.limit()).toBe("tokens_per_day");
    rig.end(first, 100);
    expect(held.fault?.code).toBe("insufficient_quota");
    expect(rig.ask("a").fault?.code).toBe("insufficient_quota");
    expect(rig.pool.queueLength).toBe(0);
  });

  test("that is not used up in the end lets the next request in", () => {
    const rig = new LimitedRig();
    rig.limit("a", { tokensPerDay: 100 });
    rig.connect("w", 10);
    const first = rig.ask("a", { tokens: 100 });
    const held = rig.ask("a", { tokens: 100 });
    rig.end(first, 10);
    expect(held.claim).toBeDefined();
  });
});

describe("a full queue", () => {
  test("counts pending tickets, and refuses one of the key with most of them", () => {
    const rig = new LimitedRig(4);
    rig.limit("a", { requestsPerMinute: 2 });
    rig.connect("w", 2);
    const own = Array.from({ length: 6 }, () => rig.ask("a"));
    expect(rig.pool.queueLength).toBe(4);
    const other = rig.ask("b");
    expect(other.fault).toBeUndefined();
    expect(own[5]?.fault?.code).toBe("queue_full");
    expect(rig.pool.queueLength).toBe(4);
  });

  test("refuses the newcomer of a caller that has more waiting tickets than the key has pending ones", () => {
    const rig = new LimitedRig(4);
    rig.limit("a", { requestsPerMinute: 1 });
    rig.connect("w", 1);
    rig.ask("a");
    const held = rig.ask("a");
    for (let count = 0; count < 3; count += 1) rig.ask("b");
    expect(rig.ask("b").fault?.code).toBe("queue_full");
    expect(held.fault).toBeUndefined();
  });
});

describe("limits that the keys of a tenant share", () => {
  test("bound all of them together, and let the other key go on when a job of one ends", () => {
    const rig = new LimitedRig();
    rig.share("team", { parallel: 2 }, "a", "b");
    rig.connect("w", 10);
    const first = rig.ask("a");
    rig.ask("a");
    const held = rig.ask("b");
    const free = rig.ask("free");
    expect([held.claim, held.wait?.limit()]).toEqual([undefined, "tenant.parallel"]);
    expect(free.claim).toBeDefined();
    rig.end(first);
    expect(held.claim).toBeDefined();
  });

  test("count beside the limits of each key, and whichever is reached holds back", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 1 });
    rig.share("team", { parallel: 2 }, "a", "b");
    rig.connect("w", 10);
    rig.ask("a");
    expect(rig.ask("a").wait?.limit()).toBe("parallel");
    rig.ask("b");
    expect(rig.ask("b").wait?.limit()).toBe("tenant.parallel");
  });

  test("per minute admit the keys by turns, however much one of them has waiting, and by their weights", () => {
    const rig = new LimitedRig();
    rig.share("team", { requestsPerMinute: 8 }, "a", "b", "heavy");
    rig.weigh("heavy", 2);
    rig.connect("w", 100);
    for (let count = 0; count < 16; count += 1) rig.ask("a");
    expect(rig.running("a").length).toBe(8);
    for (const key of ["b", "heavy"]) for (let count = 0; count < 4; count += 1) rig.ask(key);
    rig.clock.advance(61_000);
    expect(["a", "b", "heavy"].map((key) => rig.running(key).length)).toEqual([10, 2, 4]);
  });

  test("admit the other keys in their turn when the first key of the tenant is refused", () => {
    const rig = new LimitedRig();
    rig.share("team", { tokensPerDay: 1000 }, "a", "b", "c", "d");
    rig.limit("a", { tokensPerDay: 100 });
    rig.connect("w", 20);
    const all = rig.ask("d", { tokens: 1000 });
    const [first, refused] = [rig.ask("a", { tokens: 500 }), rig.ask("a", { tokens: 500 })];
    rig.ask("b", { tokens: 500 });
    const [again, turn] = [rig.ask("b", { tokens: 1000 }), rig.ask("c", { tokens: 1000 })];
    rig.end(all);
    rig.end(first, 100);
    expect(refused.fault?.code).toBe("insufficient_quota");
    expect([again.begunAt !== undefined, turn.begunAt !== undefined]).toEqual([false, true]);
  });

  test("do not let a newcomer pass a key that waits for them", () => {
    const rig = new LimitedRig();
    rig.share("team", { tokensPerMinute: 1000 }, "a", "b");
    rig.connect("w", 10);
    rig.ask("a", { tokens: 900 });
    const large = rig.ask("a", { tokens: 800 });
    const small = rig.ask("b", { tokens: 50 });
    expect(large.wait?.limit()).toBe("tenant.tokens_per_minute");
    expect(small.wait?.limit()).toBe("tenant.tokens_per_minute");
    large.wait?.leave();
    rig.clock.advance(2);
    expect(small.claim).toBeDefined();
  });

  test("hold back a request that is admitted while they are reached, also when a slot becomes free", () => {
    const rig = new LimitedRig();
    rig.share("team", { parallel: 1, requestsPerMinute: 2 }, "a", "b");
    rig.connect("w", 1);
    const [running, next, last] = [rig.ask("a"), rig.ask("a"), rig.ask("b")];
    rig.end(running);
    rig.clock.advance(61_000);
    expect([next.claim, last.claim].map((claim) => claim !== undefined)).toEqual([true, false]);
    rig.connect("w2", 1);
    expect(last.claim).toBeUndefined();
    rig.end(next);
    expect(last.claim).toBeDefined();
  });

  test("are no reason to wait behind a key that is at a limit of its own", () => {
    const rig = new LimitedRig();
    rig.limit("a", { requestsPerMinute: 1 });
    rig.share("team", { requestsPerMinute: 10 }, "a", "b");
    rig.connect("w", 10);
    rig.ask("a");
    expect(rig.ask("a").wait?.limit()).toBe("requests_per_minute");
    expect(rig.ask("b").claim).toBeDefined();
  });

  test("admit all parts of a request at once, also while another key waits for its turn", () => {
    const rig = new LimitedRig();
    rig.share("team", { requestsPerMinute: 1 }, "a", "b");
    rig.connect("w", 10);
    rig.ask("b");
    const first = rig.ask("a");
    const parts = [first, rig.ask("a", { of: first }), rig.ask("a", { of: first })];
    const other = rig.ask("b");
    rig.clock.advance(61_000);
    expect(parts.map(({ begunAt }) => begunAt !== undefined)).toEqual([true, true, true]);
    expect(other.wait?.limit()).toBe("tenant.requests_per_minute");
  });

  test("do not keep a job from becoming more urgent while it waits for the jobs of other keys", () => {
    const rig = new LimitedRig();
    rig.share("team", { parallel: 1 }, "busy", "late");
    rig.classify("late", "background");
    rig.connect("w", 10);
    rig.ask("busy");
    rig.ask("busy");
    const late = rig.ask("late");
    for (let round = 0; round < 20 && late.begunAt === undefined; round += 1) {
      rig.ask("busy");
      rig.clock.advance(5000);
      const [running] = rig.running("busy");
      if (running) rig.end(running);
    }
    expect(late.begunAt).toBeDefined();
  });

  test("that are removed while a request runs let the jobs of its key go on when it ends", () => {
    const rig = new LimitedRig();
    rig.limit("a", { parallel: 1 });
    rig.share("team", { parallel: 9 }, "a");
    rig.connect("w", 10);
    const first = rig.ask("a");
    rig.share("team", {});
    const second = rig.ask("a");
    expect(second.wait?.limit()).toBe("parallel");
    rig.end(first);
    expect(second.claim).toBeDefined();
  });

  test("cost no more for each key when many keys wait for the turn of one", () => {
    const looksAt = (keys: number): number => {
      const rig = new LimitedRig();
      const names = Array.from({ length: keys }, (_, at) => `k${at}`);
      rig.share("team", { tokensPerMinute: 1000 }, ...names);
      rig.connect("w", 10);
      const first = rig.ask("k0", { tokens: 500 });
      rig.ask("k0", { tokens: 900 });
      let looks = 0;
      for (const keyId of names) {
        const { charge } = rig.ask(keyId, { tokens: 1 });
        const get = (): string => {
          looks += 1;
          return keyId;
        };
        if (charge) Object.defineProperty(charge, "keyId", { get });
      }
      looks = 0;
      rig.end(first, 500);
      return looks;
    };
    expect(looksAt(10)).toBeGreaterThan(0);
    expect(looksAt(40)).toBeLessThan(8 * looksAt(10));
  });

  test("name the tenant in errors", () => {
    const rig = new LimitedRig();
    rig.share("team", { tokensPerDay: 10, requestsPerMinute: 1, onLimit: "refuse" }, "a", "b");
    rig.connect("w", 10);
    const first = rig.ask("a", { tokens: 1 });
    const rated = rig.ask("b");
    expect(rated.fault).toMatchObject({ code: "rate_limit_exceeded", limit: "tenant.requests_per_minute" });
    expect(rated.fault?.message).toStartWith("The tenant 'team' may send 1 request per minute");
    rig.end(first, 20);
    rig.clock.advance(61_000);
    expect(rig.ask("b").fault).toMatchObject({ code: "insufficient_quota", limit: "tenant.tokens_per_day" });
    rig.share("team", {});
    expect(rig.ask("b").claim).toBeDefined();
  });
});

test("the flows tell how many jobs of a caller a limit holds back, and which one", () => {
  const rig = new LimitedRig();
  rig.limit("a", { requestsPerMinute: 1 });
  rig.limit("b", { parallel: 1 });
  rig.connect("w", 10);
  for (let count = 0; count < 3; count += 1) {
    rig.ask("a");
    rig.ask("b");
  }
  expect(rig.pool.flows()).toMatchObject([
    { caller: "key:a", waiting: 2, running: 1, held: 2, limit: "requests_per_minute" },
    { caller: "key:b", waiting: 2, running: 1, held: 2, limit: "parallel" },
  ]);
});

test("whatever comes and goes, no limit is passed, nobody is forgotten, and nothing is left over", () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("ask" as const),
        key: fc.constantFrom("a", "b", "member", "free"),
        model: fc.constantFrom("m", "n"),
        tokens: fc.nat({ max: 400 }),
        part: fc.boolean(),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom("end" as const, "refuse" as const),
        at: fc.nat(),
        tokens: fc.nat({ max: 400 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("abandon" as const), at: fc.nat() }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 300, 20_000, 61_000) }),
    },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), fc.boolean(), (steps, isShared) => {
      const rig = new LimitedRig(8);
      rig.limit("a", { parallel: 2, tokensPerMinute: 1000 });
      rig.limit("b", { parallel: 3, requestsPerMinute: 4 });
      if (isShared) rig.share("team", { parallel: 4, requestsPerMinute: 6, tokensPerMinute: 1500 }, "a", "b", "member");
      rig.connect("w1", 3, ["m", "n"]);
      rig.connect("w2", 2, ["n"]);
      const jobs = (): Asked[] => rig.asked.filter(({ claim }) => claim !== undefined);
      for (const each of steps) {
        if (each.do === "ask") {
          const of = each.part ? rig.running(each.key)[0] : undefined;
          rig.ask(each.key, { model: each.model, tokens: each.tokens, ...(of ? { of } : {}) });
        } else if (each.do === "pass") {
          rig.clock.advance(each.ms);
        } else if (each.do === "abandon") {
          const waiting = rig.asked.filter(({ wait, begunAt, fault }) => wait && begunAt === undefined && !fault);
          const gone = waiting[each.at % Math.max(1, waiting.length)];
          gone?.wait?.leave();
          if (gone) rig.asked.splice(rig.asked.indexOf(gone), 1);
        } else {
          const running = jobs();
          const job = running[each.at % Math.max(1, running.length)];
          if (job && each.do === "refuse") {
            const { claim } = job;
            job.claim = undefined;
            claim?.refuse();
          } else if (job) {
            rig.end(job, each.tokens);
          }
        }
        // A job that could go on only because another one was pushed out is offered its slot a moment later.
        rig.clock.advance(isShared ? REST_MS : 1);
        const pending = ["a", "b", "member"].map((key) => rig.waiting(key).find((each) => isPending(each))?.charge);
        for (const charge of isShared ? [] : pending.slice(0, 2))
          if (charge) expect(charge.admissionHold()).toBeDefined();
        if (pending.some((charge) => charge)) expect(pending.some((charge) => charge?.admissionHold())).toBe(true);
        const ofTeam = ["a", "b", "member"].reduce((sum, key) => sum + rig.running(key).length, 0);
        if (isShared) expect(ofTeam).toBeLessThanOrEqual(4);
        expect(rig.running("a").length).toBeLessThanOrEqual(2);
        expect(rig.running("b").length).toBeLessThanOrEqual(3);
        for (const key of ["a", "b", "member", "free"])
          for (const { ticket } of rig.waiting(key)) expect(rig.pool.hasRoomFor(ticket)).toBe(false);
      }
      const letIn = rig.asked.flatMap(({ key, ticket }) =>
        key === "b" && ticket.charge?.admittedAt !== undefined ? [ticket.charge] : [],
      );
      const at = [...new Set(letIn)].map(({ admittedAt = 0 }) => admittedAt);
      for (const from of at)
        expect(at.filter((other) => other >= from && other < from + MINUTE_MS).length).toBeLessThanOrEqual(4);
      for (let round = 0; round < 20; round += 1) {
        for (const job of jobs()) rig.end(job, 1);
        rig.clock.advance(61_000);
      }
      for (const { charge } of rig.asked) charge?.settle({ tokens: 0, audioSeconds: 0 });
      expect([rig.pool.busyTotal, rig.pool.queueLength, rig.clock.pending]).toEqual([0, 0, 0]);
      for (const key of ["a", "b", "tenant:team"]) {
        const allowance = rig.charges.allowances.of(key);
        if (!allowance) continue;
        expect([allowance?.running, allowance?.waiting]).toEqual([0, 0]);
      }
      expect(rig.wrongs).toEqual([]);
    }),
    { numRuns: times(300) },
  );
});

test("however keys are moved between tenants and told to refuse, nobody is forgotten, and nothing is left over", () => {
  const key = fc.constantFrom("a", "b", "c");
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("ask" as const),
        key,
        model: fc.constantFrom("m", "m", "rare"),
        tokens: fc.nat({ max: 400 }),
        part: fc.boolean(),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("end" as const, "abandon" as const), at: fc.nat() }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("move" as const),
        key,
        tenant: fc.constantFrom("one", "two", "plain"),
        limits: fc.constantFrom<KeyLimits>({}, { parallel: 2 }, { onLimit: "refuse" }, { requestsPerMinute: 3 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.constantFrom(1, 300, 61_000) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
      const rig = new LimitedRig(20);
      rig.share("one", { parallel: 2, requestsPerMinute: 4 }, "a", "b");
      rig.share("two", { parallel: 3, tokensPerMinute: 1000 }, "c");
      rig.connect("w1", 5, ["m"]);
      rig.connect("w2", 1, ["rare"]);
      const mixed = new Set<string>();
      const jobs = (): Asked[] => rig.asked.filter(({ claim }) => claim !== undefined);
      for (const each of steps) {
        if (each.do === "ask") {
          const of = each.part ? rig.running(each.key)[0] : undefined;
          rig.ask(each.key, { model: each.model, tokens: each.tokens, ...(of ? { of } : {}) });
        } else if (each.do === "pass") {
          rig.clock.advance(each.ms);
        } else if (each.do === "move") {
          rig.move(each.key, each.tenant, each.limits);
        } else if (each.do === "abandon") {
          const waiting = rig.asked.filter(({ wait, begunAt, fault }) => wait && begunAt === undefined && !fault);
          const gone = waiting[each.at % Math.max(1, waiting.length)];
          gone?.wait?.leave();
          gone?.charge?.settle({ tokens: 0, audioSeconds: 0 });
          if (gone) rig.asked.splice(rig.asked.indexOf(gone), 1);
        } else {
          const job = jobs()[each.at % Math.max(1, jobs().length)];
          if (job) rig.end(job, 100);
        }
        rig.clock.advance(REST_MS);
        const firsts = ["a", "b", "c"].map((name) => rig.waiting(name).find((one) => isPending(one))?.charge);
        for (const charge of firsts) expect(charge?.admissionHold()?.isFinal ?? false).toBe(false);
        if (firsts.some((charge) => charge)) expect(firsts.some((charge) => charge?.admissionHold())).toBe(true);
        for (const name of ["a", "b", "c"]) {
          const waiting = rig.waiting(name);
          // Requests that came before there was any limit are held back together with those that came later.
          if (waiting.some(({ charge }) => !charge)) mixed.add(name);
          if (mixed.has(name)) continue;
          for (const { ticket } of waiting) expect(rig.pool.hasRoomFor(ticket)).toBe(false);
        }
      }
      for (let round = 0; round < 30; round += 1) {
        for (const job of jobs()) rig.end(job, 1);
        rig.clock.advance(61_000);
      }
      for (const { charge } of rig.asked) charge?.settle({ tokens: 0, audioSeconds: 0 });
      expect([rig.pool.busyTotal, rig.pool.queueLength, rig.clock.pending]).toEqual([0, 0, 0]);
      for (const name of ["a", "b", "c", "tenant:one", "tenant:two"]) {
        const allowance = rig.charges.allowances.of(name);
        if (allowance) expect([allowance.running, allowance.waiting, allowance.isInUse]).toEqual([0, 0, false]);
      }
      expect(rig.wrongs).toEqual([]);
    }),
    { numRuns: times(300) },
  );
});

function isPending({ charge }: Asked): boolean {
  return charge !== undefined && charge.admittedAt === undefined;
}
