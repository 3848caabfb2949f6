import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { KeyLimits } from "../../../src/keys/key-terms.ts";
import { Allowance } from "../../../src/limits/allowance.ts";
import { Calendar } from "../../../src/limits/calendar.ts";
import { limitFault } from "../../../src/limits/limit-faults.ts";
import { durationText, setLimitHeaders } from "../../../src/limits/limit-headers.ts";
import type { Amounts } from "../../../src/limits/limit-state.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import "../../support/seed.ts";

const NOTHING: Amounts = { tokens: 0, audioSeconds: 0 };
const DAY = 86_400_000;
const tokens = (count: number): Amounts => ({ tokens: count, audioSeconds: 0 });
const audio = (seconds: number): Amounts => ({ tokens: 0, audioSeconds: seconds });

interface Rig {
  readonly allowance: Allowance;
  readonly clock: FakeClock;
}

function rig(limits: KeyLimits, used: (resource: string, at: number) => number = () => 0): Rig {
  const clock = new FakeClock();
  return { allowance: new Allowance(limits, { clock, calendar: new Calendar(), usedSince: used }), clock };
}

/** A request in progress. */
interface Begun {
  settle(used: Amounts): void;
}

function begin(allowance: Allowance, expected: Amounts): Begun {
  allowance.begin(expected);
  return { settle: (used) => allowance.settle(expected, used) };
}

function headersOf({ allowance, clock }: Rig): Readonly<Record<string, string>> {
  const headers = new Headers();
  setLimitHeaders(headers, allowance, undefined, clock);
  return Object.fromEntries(headers);
}

const calendar = new Calendar();

describe("parallel", () => {
  test("lets as many jobs run, and the next one when one of them has ended", () => {
    const { allowance } = rig({ parallel: 2 });
    allowance.occupy();
    expect(allowance.full()).toBeUndefined();
    allowance.occupy();
    expect(allowance.full()).toEqual({ kind: "busy", limit: "parallel", max: 2, waitMs: undefined });
    expect(allowance.heldBy(NOTHING)).toBeUndefined();
    allowance.vacate();
    expect(allowance.full()).toBeUndefined();
    expect(allowance.running).toBe(1);
  });

  test("never lets a fifth of four run, whatever 200 jobs do at once", () => {
    const { allowance } = rig({ parallel: 4 });
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 200, maxLength: 400 }), (steps) => {
        for (const ends of steps) {
          if (ends && allowance.running > 0) allowance.vacate();
          else if (!ends && !allowance.full()) allowance.occupy();
          expect(allowance.running).toBeLessThanOrEqual(4);
        }
        while (allowance.running > 0) allowance.vacate();
      }),
    );
  });
});

test("max_waiting bounds the jobs that wait", () => {
  const { allowance } = rig({ maxWaiting: 1 });
  expect(allowance.crowded()).toBeUndefined();
  allowance.join();
  expect(allowance.crowded()).toMatchObject({ limit: "max_waiting" });
  allowance.leave();
  expect(allowance.crowded()).toBeUndefined();
});

describe("requests per minute", () => {
  test("count when they begin, and say when the next one may", () => {
    const { allowance, clock } = rig({ requestsPerMinute: 2 });
    begin(allowance, NOTHING).settle(NOTHING);
    clock.advance(20_000);
    allowance.begin(NOTHING);
    expect(allowance.heldBy(NOTHING)).toEqual({ kind: "busy", limit: "requests_per_minute", max: 2, waitMs: 40_000 });
    clock.advance(40_000);
    expect(allowance.heldBy(NOTHING)).toBeUndefined();
  });
});

test("a request that is no job counts per minute, and no other limit holds it", () => {
  const { allowance, clock } = rig({ requestsPerMinute: 2, parallel: 1, tokensPerMinute: 10, tokensPerDay: 10 });
  allowance.count(tokens(100));
  allowance.occupy();
  expect(allowance.heldAsRequest()).toBeUndefined();
  allowance.countRequest();
  allowance.begin(NOTHING);
  expect(allowance.heldAsRequest()).toEqual({ kind: "busy", limit: "requests_per_minute", max: 2, waitMs: 60_000 });
  clock.advance(60_000);
  expect(allowance.heldAsRequest()).toBeUndefined();
  expect(rig({ parallel: 1 }).allowance.heldAsRequest()).toBeUndefined();
});

describe("tokens per minute", () => {
  test("are reserved at the beginning and counted at the end", () => {
    const { allowance, clock } = rig({ tokensPerMinute: 100 });
    const job = begin(allowance, tokens(80));
    expect(allowance.heldBy(tokens(30))).toMatchObject({ limit: "tokens_per_minute", waitMs: undefined });
    expect(allowance.heldBy(tokens(20))).toBeUndefined();
    job.settle(tokens(50));
    expect(allowance.heldBy(tokens(50))).toBeUndefined();
    expect(allowance.heldBy(tokens(51))).toMatchObject({ limit: "tokens_per_minute", waitMs: 60_000 });
    clock.advance(60_000);
    expect(allowance.heldBy(tokens(51))).toBeUndefined();
  });

  test("let a job begin that is larger than the limit while nothing else counts", () => {
    const { allowance, clock } = rig({ tokensPerMinute: 100 });
    const job = begin(allowance, tokens(500));
    expect(allowance.heldBy(tokens(1))).toMatchObject({ limit: "tokens_per_minute" });
    job.settle(tokens(400));
    clock.advance(59_999);
    expect(allowance.heldBy(tokens(1))).toMatchObject({ waitMs: 1 });
    clock.advance(1);
    expect(allowance.heldBy(tokens(500))).toBeUndefined();
  });

  test("are passed in any 60 seconds by no more than what jobs in flight use beyond their reservations", () => {
    const step = fc.record({
      pause: fc.nat({ max: 20_000 }),
      expected: fc.integer({ min: 0, max: 120 }),
      used: fc.integer({ min: 0, max: 200 }),
      ends: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const limit = 100;
        const { allowance, clock } = rig({ tokensPerMinute: limit });
        const running: { job: Begun; expected: number; used: number }[] = [];
        const settled: { at: number; used: number; beyond: number }[] = [];
        for (const { pause, expected, used, ends } of steps) {
          clock.advance(pause);
          const last = ends ? running.shift() : undefined;
          if (last) {
            last.job.settle(tokens(last.used));
            settled.push({ at: clock.elapsed(), used: last.used, beyond: Math.max(0, last.used - last.expected) });
          }
          if (allowance.heldBy(tokens(expected))) continue;
          running.push({ job: begin(allowance, tokens(expected)), expected, used });
        }
        for (const { at } of settled) {
          const within = settled.filter((each) => each.at >= at && each.at < at + 60_000);
          const sum = within.reduce((total, { used }) => total + used, 0);
          const beyond = within.reduce((total, each) => total + each.beyond, 0);
          // One job may be larger than the whole limit: 120 is the most that one is expected to use here.
          expect(sum).toBeLessThanOrEqual(120 + beyond);
        }
      }),
    );
  });
});

describe("a budget", () => {
  test("is spent when it is used up, until its window ends in its zone", () => {
    const { allowance, clock } = rig({ tokensPerDay: 100, timezone: "Europe/Berlin" });
    begin(allowance, tokens(10)).settle(tokens(99));
    expect(allowance.heldBy(tokens(1000))).toBeUndefined();
    begin(allowance, NOTHING).settle(tokens(50));
    const held = allowance.heldBy(NOTHING);
    if (held?.kind !== "spent") throw new Error("the budget is not spent");
    // The clock stands at 14 November 2023, 22:30 UTC, which is 23:30 in Berlin.
    const fault = limitFault(held, calendar);
    expect(fault.code).toBe("insufficient_quota");
    expect(fault.retryAfterS).toBeUndefined();
    expect(fault.message).toBe(
      "This key has used up its budget of 100 tokens for this day. It resets at 2023-11-15T00:00:00+01:00; the operator of this server can raise it.",
    );
    clock.advance(held.state.window.endsAt - clock.now() - 1);
    expect(allowance.heldBy(NOTHING)?.kind).toBe("spent");
    clock.advance(1);
    expect(allowance.heldBy(NOTHING)).toBeUndefined();
    expect(allowance.states()).toMatchObject([{ limit: "tokens_per_day", used: 0, max: 100 }]);
  });

  test("of several that are spent holds until the last of them resets", () => {
    const { allowance } = rig({ tokensPerDay: 10, tokensPerMonth: 10, tokensPerWeek: 1000 });
    begin(allowance, NOTHING).settle(tokens(10));
    expect(allowance.heldBy(NOTHING)).toMatchObject({ kind: "spent", limit: "tokens_per_month" });
  });

  test("for audio counts seconds, and no tokens", () => {
    const { allowance } = rig({ audioSecondsPerDay: 60 });
    begin(allowance, NOTHING).settle(tokens(1_000_000));
    expect(allowance.heldBy(NOTHING)).toBeUndefined();
    begin(allowance, NOTHING).settle(audio(60));
    const held = allowance.heldBy(NOTHING);
    expect(held && limitFault(held, calendar).message).toContain("60 seconds of audio for this day");
  });

  test("lets no more jobs begin than are expected to use it up, until they have", () => {
    const { allowance } = rig({ tokensPerDay: 100 });
    const jobs = [begin(allowance, tokens(60)), begin(allowance, tokens(60))];
    expect(allowance.heldBy(tokens(1))).toMatchObject({ kind: "busy", limit: "tokens_per_day" });
    for (const job of jobs) job.settle(tokens(20));
    expect(allowance.heldBy(tokens(1))).toBeUndefined();
  });

  test("counts what was used in its window before a restart, and before the limit was set", () => {
    const asked: [string, string][] = [];
    const used = (resource: string, at: number): number => {
      asked.push([resource, new Date(at).toISOString()]);
      return 70;
    };
    const { allowance, clock } = rig({ tokensPerDay: 100 }, used);
    expect(allowance.states()).toMatchObject([{ used: 70 }]);
    allowance.update({ tokensPerDay: 50, audioSecondsPerMonth: 80 });
    expect(allowance.heldBy(NOTHING)).toMatchObject({ kind: "spent", limit: "tokens_per_day" });
    expect(allowance.states()).toMatchObject([{ used: 70 }, { limit: "audio_seconds_per_month", used: 70 }]);
    clock.advance(DAY);
    expect(allowance.states()).toMatchObject([{ used: 0 }, { used: 70 }]);
    expect(asked).toEqual([
      ["tokens", "2023-11-14T00:00:00.000Z"],
      ["audio_seconds", "2023-11-01T00:00:00.000Z"],
    ]);
  });

  test("counts what other servers report", () => {
    const { allowance } = rig({ tokensPerDay: 100, tokensPerMinute: 1000 });
    allowance.count(tokens(100));
    expect(allowance.heldBy(NOTHING)).toMatchObject({ kind: "spent" });
    expect(allowance.running).toBe(0);
  });

  test("is passed by no more than what was in flight when it was used up", () => {
    const step = fc.record({
      expected: fc.integer({ min: 0, max: 50 }),
      used: fc.integer({ min: 0, max: 100 }),
      ends: fc.boolean(),
      pause: fc.nat({ max: 3_600_000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const { allowance, clock } = rig({ tokensPerDay: 1000 });
        const running: { job: Begun; used: number }[] = [];
        const byDay = new Map<string, number>();
        const inFlight = new Map<string, number>();
        for (const { expected, used, ends, pause } of steps) {
          clock.advance(pause);
          const day = new Date(clock.now()).toISOString().slice(0, 10);
          const before = byDay.get(day) ?? 0;
          if (before < 1000)
            inFlight.set(
              day,
              running.reduce((sum, each) => sum + each.used, 0),
            );
          const last = ends ? running.shift() : undefined;
          if (last) {
            last.job.settle(tokens(last.used));
            byDay.set(day, before + last.used);
          }
          if (!allowance.heldBy(tokens(expected))) running.push({ job: begin(allowance, tokens(expected)), used });
          expect(byDay.get(day) ?? 0).toBeLessThan(1000 + Math.max(1, inFlight.get(day) ?? 0));
        }
      }),
    );
  });
});

describe("a change of limits", () => {
  test("keeps what runs and what was counted", () => {
    const { allowance } = rig({ parallel: 1, requestsPerMinute: 5 });
    const job = begin(allowance, NOTHING);
    allowance.update({ parallel: 2, requestsPerMinute: 1 });
    expect(allowance.heldBy(NOTHING)).toMatchObject({ limit: "requests_per_minute" });
    job.settle(NOTHING);
    allowance.update({});
    expect(allowance.heldBy(tokens(1e9))).toBeUndefined();
    expect(allowance.states()).toEqual([]);
  });
});

test("a key without limits holds nothing", () => {
  const { allowance, clock } = rig({});
  for (let count = 0; count < 1000; count += 1) allowance.begin(tokens(1e6));
  expect(allowance.heldBy(tokens(1e6))).toBeUndefined();
  expect(headersOf({ allowance, clock })).toEqual({});
});

describe("the error for a limit", () => {
  test("that passes by itself is rate_limit_exceeded with the seconds until then, from 1 to 60", () => {
    const { allowance, clock } = rig({ requestsPerMinute: 1 });
    allowance.begin(NOTHING);
    clock.advance(59_999);
    const held = allowance.heldBy(NOTHING);
    const fault = held && limitFault(held, calendar);
    expect(fault).toMatchObject({
      code: "rate_limit_exceeded",
      status: 429,
      retryAfterS: 1,
      limit: "requests_per_minute",
    });
  });

  test("names the limit that was reached, and no other", () => {
    const cases: readonly (readonly [KeyLimits, string])[] = [
      [{ parallel: 1, requestsPerMinute: 9 }, "may run 1 request at a time"],
      [{ parallel: 9, requestsPerMinute: 1 }, "may send 1 request per minute"],
      [{ tokensPerMinute: 5, tokensPerDay: 10_000 }, "may use 5 tokens per minute"],
      [{ tokensPerMinute: 50_000, tokensPerWeek: 5 }, "tokens for this week"],
    ];
    for (const [limits, text] of cases) {
      const { allowance } = rig(limits);
      allowance.begin(tokens(5));
      allowance.occupy();
      const held = allowance.full() ?? allowance.heldBy(tokens(1));
      expect(held && limitFault(held, calendar).message).toContain(text);
    }
  });
});

describe("the headers for a client", () => {
  test("state limit, rest and reset of requests and tokens", () => {
    const { allowance, clock } = rig({ requestsPerMinute: 60, tokensPerMinute: 1000 });
    begin(allowance, tokens(100)).settle(tokens(300));
    allowance.begin(tokens(100));
    clock.advance(15_500);
    expect(headersOf({ allowance, clock })).toEqual({
      "x-ratelimit-limit-requests": "60",
      "x-ratelimit-remaining-requests": "58",
      "x-ratelimit-reset-requests": "45s",
      "x-ratelimit-limit-tokens": "1000",
      "x-ratelimit-remaining-tokens": "600",
      "x-ratelimit-reset-tokens": "45s",
    });
  });

  test("describe the tightest budget where no limit per minute is set, and are never negative", () => {
    const { allowance, clock } = rig({ tokensPerDay: 100, tokensPerMonth: 120 });
    allowance.count(tokens(110));
    const headers = headersOf({ allowance, clock });
    expect(headers).toMatchObject({ "x-ratelimit-limit-tokens": "100", "x-ratelimit-remaining-tokens": "0" });
    expect(headers["x-ratelimit-reset-tokens"]).toMatch(/^1h\d+m\d+s$/);
    expect(Object.keys(headers).some((name) => name.endsWith("requests"))).toBe(false);
  });

  test("write durations as OpenAI does", () => {
    expect([0, 11.2, 999, 1000, 1001, 60_000, 360_000, 3_600_000, 90_061_000].map(durationText)).toEqual([
      "0ms",
      "12ms",
      "999ms",
      "1s",
      "2s",
      "1m0s",
      "6m0s",
      "1h0m0s",
      "25h1m1s",
    ]);
  });
});
