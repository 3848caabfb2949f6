import { expect, test } from "bun:test";
import { POINTS, Timeline } from "../../../src/figures/timeline.ts";
import { GONE_KEPT_MS, MAX_GONE, WorkerPasts } from "../../../src/models/worker-pasts.ts";
import { MAX_ERRORS, MAX_SESSIONS } from "../../../src/plugin/details.ts";
import { Seat } from "../../../src/pool/seat.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ScriptedSession } from "../../support/scripted-session.ts";

function setUp() {
  const clock = new FakeClock();
  const timeline = new Timeline();
  const pasts = new WorkerPasts({ clock, timeline, mask: (text) => text.replaceAll("secret-key", "…") });
  const join = (id: string): Seat => {
    const session = new ScriptedSession(id, ["m"], 2, clock);
    const seat = new Seat(session);
    seat.refresh();
    pasts.opened(session);
    return seat;
  };
  const tick = (seats: readonly Seat[]): void => {
    timeline.next(clock.now());
    pasts.tick(seats, 5000);
  };
  return { clock, pasts, join, tick };
}

const error = (at: number) => ({
  at: new Date(at).toISOString(),
  request_id: `r${at}`,
  job_id: null,
  kind: null,
  model: "m",
  worker: null,
  caller: null,
  reason: "lost",
  cause: "lost" as const,
  retried: false,
});

test("a history is bounded, and so are the errors and the sessions of a worker", () => {
  const { pasts, join, tick } = setUp();
  for (let each = 0; each <= MAX_SESSIONS; each += 1) {
    const seat = join("w");
    if (each < MAX_SESSIONS) pasts.closed(seat.session, "lost", undefined);
    else for (let point = 0; point < 2 * POINTS; point += 1) tick([seat]);
  }
  for (let each = 0; each < 2 * MAX_ERRORS; each += 1) pasts.failed("w", error(each));
  const past = pasts.of("w");
  expect(past?.history().samples.at).toHaveLength(POINTS);
  expect(past?.sessions()).toHaveLength(MAX_SESSIONS);
  expect(past?.errors().map(({ request_id }) => request_id)).toEqual(
    Array.from({ length: MAX_ERRORS }, (_, each) => `r${2 * MAX_ERRORS - 1 - each}`),
  );
});

test("a worker with two sessions adds both to one point, and nothing twice", () => {
  const { pasts, join, tick } = setUp();
  const one = join("w");
  const two = join("w");
  const work = { outcome: "completed", error: undefined, runningMs: 1, usage: undefined, output: 50 } as const;
  one.count(work, 0);
  two.count(work, 0);
  tick([one, two]);
  tick([one, two]);
  const { samples } = pasts.of("w")?.history() ?? {};
  expect(samples?.requests).toEqual([2, 0]);
  expect(samples?.tokens_per_s).toEqual([20, 0]);
  expect(samples?.slots_total).toEqual([4, 4]);
});

test("the worker that left first is forgotten first, and each of them after an hour", () => {
  const { clock, pasts, join } = setUp();
  for (let each = 0; each <= MAX_GONE; each += 1) {
    pasts.closed(join(`w${each}`).session, "lost", undefined);
    clock.advance(1);
  }
  expect(pasts.size).toBe(MAX_GONE);
  expect(pasts.of("w0")).toBeUndefined();
  expect(pasts.of("w1")).toBeDefined();
  clock.advance(GONE_KEPT_MS);
  expect(pasts.of("w1")).toBeUndefined();
});

test("the reason of a close is shortened and cleaned, and holds no key", () => {
  const { pasts, join } = setUp();
  pasts.closed(join("w").session, `\u202esecret-key\n${"x".repeat(500)}`, undefined);
  const reason = pasts.of("w")?.sessions()[0]?.reason ?? "";
  expect(reason).toStartWith("…x");
  expect(reason).toHaveLength(200);
});

test("a thousand workers cost about 13 MB with their seats, and a millisecond every five seconds", () => {
  const { pasts, join, tick } = setUp();
  Bun.gc(true);
  const before = process.memoryUsage().rss;
  const seats = Array.from({ length: 1000 }, (_, each) => join(`w${each}`));
  const startedAt = performance.now();
  for (let point = 0; point < POINTS; point += 1) tick(seats);
  const msPerTick = (performance.now() - startedAt) / POINTS;
  Bun.gc(true);
  const megabytes = (process.memoryUsage().rss - before) / 1e6;
  console.log(`1,000 workers: ${msPerTick.toFixed(2)} ms a tick, ${megabytes.toFixed(1)} MB with sessions and seats`);
  expect(pasts.size).toBe(1000);
  // Generous for slow machines: a tick takes about 1 ms.
  expect(msPerTick).toBeLessThan(50);
  expect(megabytes).toBeLessThan(40);
});
