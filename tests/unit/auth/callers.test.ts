import { describe, expect, test } from "bun:test";
import { Callers } from "../../../src/auth/callers.ts";
import { Fault } from "../../../src/errors.ts";

const at = (address: string) => (): string => address;

function codeOf(work: () => unknown): string {
  try {
    work();
    return "let in";
  } catch (error) {
    return error instanceof Fault ? error.code : String(error);
  }
}

describe("requests under way", () => {
  test("of one key are as many as it may have, whatever their addresses", () => {
    const callers = new Callers({ perKey: 2, perAddress: 0 });
    const leave = callers.enter("one", at("a"));
    callers.enter("one", at("b"));
    expect(codeOf(() => callers.enter("one", at("c")))).toBe("too_many_requests");
    expect(codeOf(() => callers.enter("two", at("a")))).toBe("let in");
    leave();
    expect(codeOf(() => callers.enter("one", at("c")))).toBe("let in");
  });

  test("of one address are as many as it may have, whatever their keys", () => {
    const callers = new Callers({ perKey: 0, perAddress: 2 });
    const leaves = [callers.enter("one", at("a")), callers.enter(undefined, at("a"))];
    expect(codeOf(() => callers.enter("two", at("a")))).toBe("too_many_requests");
    expect(codeOf(() => callers.enter("two", at("b")))).toBe("let in");
    leaves[0]?.();
    expect(codeOf(() => callers.enter("three", at("a")))).toBe("let in");
    expect(codeOf(() => callers.enter("four", at("a")))).toBe("too_many_requests");
  });

  test("are counted out once, however often that is said", () => {
    const callers = new Callers({ perKey: 1, perAddress: 2 });
    const leave = callers.enter("one", at("a"));
    callers.enter("two", at("a"));
    leave();
    leave();
    expect(callers.underWay).toBe(1);
    callers.enter("one", at("a"));
    expect(codeOf(() => callers.enter("one", at("b")))).toBe("too_many_requests");
    expect(codeOf(() => callers.enter("three", at("a")))).toBe("too_many_requests");
  });

  test("have no limit where it is 0", () => {
    const callers = new Callers({ perKey: 0, perAddress: 0 });
    for (let each = 0; each < 5000; each += 1) callers.enter("one", at("a"));
    expect(callers.underWay).toBe(5000);
  });

  test("are not asked for their addresses while they are few, and once each when they are many", () => {
    const callers = new Callers({ perKey: 0, perAddress: 3 });
    let asked = 0;
    const address = (): string => {
      asked += 1;
      return `address ${asked}`;
    };
    const leaves = Array.from({ length: 3 }, () => callers.enter("k", address));
    leaves[0]?.();
    leaves.push(callers.enter("k", address));
    expect(asked).toBe(0);
    for (let each = 0; each < 10; each += 1) callers.enter("k", address);
    expect(asked).toBe(13);
  });

  test("of a flood are refused, and nothing of it is remembered once it is over", () => {
    const callers = new Callers({ perKey: 0, perAddress: 10 });
    const quiet = callers.enter("other", at("elsewhere"));
    const leaves = Array.from({ length: 10 }, () => callers.enter("k", at("flood")));
    for (let each = 0; each < 100; each += 1)
      expect(codeOf(() => callers.enter("k", at("flood")))).toBe("too_many_requests");
    expect(codeOf(() => callers.enter("k", at("elsewhere")))).toBe("let in");
    quiet();
    for (const leave of leaves) leave();
    expect(callers.underWay).toBe(1);
  });
});
