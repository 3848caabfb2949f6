import { describe, expect, test } from "bun:test";
import { type ActiveCaller, ANONYMOUS, createCaller } from "../../../src/auth/caller.ts";
import { Callers } from "../../../src/auth/callers.ts";
import { Fault } from "../../../src/errors.ts";
import type { Visit } from "../../../src/http/visit.ts";

interface Limits {
  readonly perKey: number;
  readonly perAddress: number;
}

/** Callers, and the order in which their connections' idle timeouts were lifted and restored. */
function create({ perKey, perAddress }: Limits) {
  const timeouts: string[] = [];
  const callers = new Callers({
    idleTimeouts: {
      liftIdleTimeout: ({ url }) => void timeouts.push(`lift ${url}`),
      restoreIdleTimeout: ({ url }) => void timeouts.push(`restore ${url}`),
    },
    maxPerAddress: perAddress,
    addressOf: (visit) => visit.address(),
    bucketOf: (visit) => visit.address() ?? "unknown",
  });
  return {
    callers,
    timeouts,
    enter: (key: string | undefined, visit: Visit): ActiveCaller =>
      callers.enter(key === undefined ? ANONYMOUS : createCaller(key, { maxRequests: perKey }), visit),
  };
}

const at = (address: string): Visit => ({
  request: new Request(`http://server.test/${address}`),
  requestId: "r",
  address: () => address,
});

function codeOf(work: () => unknown): string {
  try {
    work();
    return "let in";
  } catch (error) {
    return error instanceof Fault ? error.code : String(error);
  }
}

describe("requests under way", () => {
  test("of one key are limited, whatever their addresses", () => {
    const { enter } = create({ perKey: 2, perAddress: 0 });
    const first = enter("one", at("a"));
    enter("one", at("b"));
    expect(codeOf(() => enter("one", at("c")))).toBe("too_many_requests");
    expect(codeOf(() => enter("two", at("a")))).toBe("let in");
    first.leave();
    expect(codeOf(() => enter("one", at("c")))).toBe("let in");
  });

  test("of one address are limited, whatever their keys", () => {
    const { enter } = create({ perKey: 0, perAddress: 2 });
    const first = enter("one", at("a"));
    enter(undefined, at("a"));
    expect(codeOf(() => enter("two", at("a")))).toBe("too_many_requests");
    expect(codeOf(() => enter("two", at("b")))).toBe("let in");
    first.leave();
    expect(codeOf(() => enter("three", at("a")))).toBe("let in");
    expect(codeOf(() => enter("four", at("a")))).toBe("too_many_requests");
  });

  test("are counted down once, however often their callers leave", () => {
    const { enter } = create({ perKey: 1, perAddress: 2 });
    const first = enter("one", at("a"));
    enter("two", at("a"));
    first.leave();
    first.leave();
    enter("one", at("a"));
    expect(codeOf(() => enter("one", at("b")))).toBe("too_many_requests");
    expect(codeOf(() => enter("three", at("a")))).toBe("too_many_requests");
  });

  test("are counted out as they were counted in, though their caller's limits have changed meanwhile", () => {
    const { callers } = create({ perKey: 0, perAddress: 0 });
    for (const [before, after] of [
      [1, 0],
      [0, 1],
    ] as const) {
      const limits: { maxRequests: number } = { maxRequests: before };
      const who = createCaller(`from ${before}`, limits);
      const first = callers.enter(who, at("a"));
      limits.maxRequests = after;
      first.leave();
      limits.maxRequests = 1;
      expect(codeOf(() => callers.enter(who, at("a")))).toBe("let in");
      expect(codeOf(() => callers.enter(who, at("a")))).toBe("too_many_requests");
    }
  });

  test("are not limited if the limit is 0", () => {
    const { enter } = create({ perKey: 0, perAddress: 0 });
    for (let each = 0; each < 5000; each += 1) expect(codeOf(() => enter("one", at("a")))).toBe("let in");
  });

  test("have their addresses looked up only when they are many, and once each", () => {
    const { enter } = create({ perKey: 0, perAddress: 3 });
    let asked = 0;
    const visit: Visit = {
      ...at("a"),
      address: () => {
        asked += 1;
        return `address ${asked}`;
      },
    };
    const first = enter("k", visit);
    enter("k", visit);
    enter("k", visit);
    first.leave();
    enter("k", visit);
    expect(asked).toBe(0);
    for (let each = 0; each < 10; each += 1) enter("k", visit);
    expect(asked).toBe(13);
  });

  test("of a flood are refused, and leave nothing behind", () => {
    const { enter } = create({ perKey: 0, perAddress: 10 });
    const quiet = enter("other", at("elsewhere"));
    const flood = Array.from({ length: 10 }, () => enter("k", at("flood")));
    for (let each = 0; each < 100; each += 1) expect(codeOf(() => enter("k", at("flood")))).toBe("too_many_requests");
    expect(codeOf(() => enter("k", at("elsewhere")))).toBe("let in");
    quiet.leave();
    for (const caller of flood) caller.leave();
    for (let each = 0; each < 10; each += 1) expect(codeOf(() => enter("k", at("flood")))).toBe("let in");
    expect(codeOf(() => enter("k", at("flood")))).toBe("too_many_requests");
  });
});

describe("a caller", () => {
  test("that lingers has its connection's idle timeout lifted, and restored once when it leaves", () => {
    const { enter, timeouts } = create({ perKey: 0, perAddress: 0 });
    const caller = enter("one", at("a"));
    caller.linger();
    caller.leave();
    caller.leave();
    expect(timeouts).toEqual(["lift http://server.test/a", "restore http://server.test/a"]);
  });

  test("that never lingered leaves the connection's idle timeout as it was", () => {
    const { enter, timeouts } = create({ perKey: 0, perAddress: 0 });
    enter("one", at("a")).leave();
    expect(timeouts).toEqual([]);
  });

  test("that has left does not lift the idle timeout", () => {
    const { enter, timeouts } = create({ perKey: 0, perAddress: 0 });
    const caller = enter("one", at("a"));
    caller.leave();
    caller.linger();
    expect(timeouts).toEqual([]);
  });

  test("has the rights of its key", () => {
    const { callers } = create({ perKey: 0, perAddress: 0 });
    const who = { ...createCaller("ci"), tenant: "build", weight: 3, may: (model: string) => model === "m" };
    const caller = callers.enter(who, at("a"));
    const { name, tenant, weight, class: urgency, limits } = caller;
    expect({ name, tenant, weight, urgency, limits }).toEqual({
      name: "ci",
      tenant: "build",
      weight: 3,
      urgency: "normal",
      limits: { maxRequests: 0 },
    });
    expect([caller.may("m"), caller.may("other")]).toEqual([true, false]);
  });
});
