import { expect, test } from "bun:test";
import { type Caller, createCaller, type RelayTerms } from "../../../src/auth/caller.ts";
import { RelayLimits } from "../../../src/auth/relay-limits.ts";
import { Fault } from "../../../src/errors.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const ann = (relays: Partial<RelayTerms>): Caller => ({
  ...createCaller("key:ann"),
  relays: { mayCall: () => true, ...relays },
});

function codeOf(enter: () => unknown): string | undefined {
  try {
    enter();
    return undefined;
  } catch (error) {
    return error instanceof Fault ? `${error.code} ${error.retryAfterS}` : "another error";
  }
}

test("calls at once are counted until they end, once each", () => {
  const limits = new RelayLimits(new FakeClock(), undefined);
  const caller = ann({ parallel: 2 });
  const [first] = [limits.enter(caller), limits.enter(caller)];
  expect(codeOf(() => limits.enter(caller))).toBe("too_many_requests 2");
  first?.();
  first?.();
  limits.enter(caller);
  expect(codeOf(() => limits.enter(caller))).toBe("too_many_requests 2");
});

test("calls of the last minute are counted, and a refused one is not", () => {
  const clock = new FakeClock();
  const limits = new RelayLimits(clock, undefined);
  const caller = ann({ requestsPerMinute: 2 });
  limits.enter(caller)();
  clock.advance(30_000);
  limits.enter(caller)();
  for (let tries = 0; tries < 3; tries += 1) expect(codeOf(() => limits.enter(caller))).toBe("rate_limit_exceeded 30");
  clock.advance(30_000);
  limits.enter(caller)();
  expect(codeOf(() => limits.enter(caller))).toBe("rate_limit_exceeded 30");
});

test("nothing is remembered of callers without limits, and of others for a minute", () => {
  const clock = new FakeClock();
  const limits = new RelayLimits(clock, undefined);
  limits.enter(createCaller("key:bob"));
  limits.enter(ann({}))();
  expect(limits.size).toBe(0);
  limits.enter(ann({ requestsPerMinute: 100 }))();
  expect(limits.size).toBe(1);
  clock.advance(62_000);
  expect(limits.size).toBe(0);
});

test("calls at other servers count, and other servers hear of those here and of their end", () => {
  const clock = new FakeClock();
  const told = new Map<string, number>();
  const elsewhere = {
    countOf: (name: string) => (name.includes("running") ? 1 : 2),
    changed: (name: string, count: number) => void told.set(name, count),
  };
  const limits = new RelayLimits(clock, elsewhere);
  const leave = limits.enter(ann({ parallel: 2, requestsPerMinute: 3 }));
  expect([...told.values()]).toEqual([1, 1]);
  expect(codeOf(() => limits.enter(ann({ parallel: 2 })))).toBe("too_many_requests 2");
  expect(codeOf(() => limits.enter(ann({ requestsPerMinute: 3 })))).toBe("rate_limit_exceeded 60");
  leave();
  clock.advance(62_000);
  expect([...told.values()]).toEqual([0, 0]);
});
