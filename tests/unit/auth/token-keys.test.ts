import { describe, expect, test } from "bun:test";
import { MAX_TOKEN_MS, type SharedSecret, TokenKeys } from "../../../src/auth/token-keys.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const everybody = (): boolean => true;

function keysOf(
  keys: readonly string[],
  { clock = new FakeClock(), shared }: { clock?: FakeClock; shared?: SharedSecret } = {},
) {
  const made = new TokenKeys({ clock, shared });
  made.derive(keys, everybody);
  return made;
}

function textOf(keys: TokenKeys, token: string): string | undefined {
  return keys.open("sign-in", token)?.text;
}

describe("token keys", () => {
  test("open what another server with the same keys has sealed, in whatever order it lists them", () => {
    const token = keysOf(["a", "b"]).seal("sign-in", "hello");
    expect(token).toMatch(/^[\w-]+$/);
    expect(textOf(keysOf(["b", "a"]), token)).toBe("hello");
    expect(textOf(keysOf(["a"]), token)).toBeUndefined();
    expect(textOf(keysOf(["a", "b", "c"]), token)).toBeUndefined();
  });

  test("of a server without keys open nothing of another one", () => {
    const [one, other] = [keysOf([]), keysOf([])];
    const token = one.seal("sign-in", "hello");
    expect(textOf(one, token)).toBe("hello");
    expect(textOf(other, token)).toBeUndefined();
  });

  test("open no token that was changed, and none for another use", () => {
    const keys = keysOf(["a"]);
    const token = keys.seal("sign-in", "hello");
    expect(keys.open("try", token)).toBeUndefined();
    for (let at = 0; at < token.length - 1; at += 1) {
      const changed = token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
      expect(textOf(keys, changed)).toBeUndefined();
    }
    for (const cut of [0, 1, 12, 28, 30, token.length - 2]) expect(textOf(keys, token.slice(0, cut))).toBeUndefined();
  });

  test("hide what a token says", () => {
    const token = keysOf(["a"]).seal("sign-in", "key:0123456789abcdef");
    expect(Buffer.from(token, "base64url").toString("latin1")).not.toContain("0123456789abcdef");
  });

  test("with a shared secret do not depend on the keys of operators", () => {
    const shared = { current: () => "secret" };
    const token = keysOf(["a"], { shared }).seal("sign-in", "hello");
    expect(textOf(keysOf(["b"], { shared }), token)).toBe("hello");
    expect(textOf(keysOf(["a"]), token)).toBeUndefined();
  });

  test("use a shared secret once it is known, and go on opening what was sealed before", () => {
    let secret: string | undefined;
    const keys = keysOf(["a"], { shared: { current: () => secret } });
    const before = keys.seal("sign-in", "before");
    secret = "secret";
    const after = keys.seal("sign-in", "after");
    expect([textOf(keys, before), textOf(keys, after)]).toEqual(["before", "after"]);
    expect(textOf(keysOf(["a"]), after)).toBeUndefined();
  });

  test("from before a change stand for twelve hours, and only for the owners of that time", () => {
    const clock = new FakeClock();
    const keys = new TokenKeys({ clock });
    keys.derive(["old"], (owner) => owner === "old");
    const token = keys.seal("sign-in", "hello");
    keys.derive(["new"], (owner) => owner === "new");
    const opened = keys.open("sign-in", token);
    expect(["old", "new"].map((owner) => opened?.mayStandFor(owner))).toEqual([true, false]);
    clock.advance(MAX_TOKEN_MS);
    expect(textOf(keys, token)).toBeUndefined();
    expect(textOf(keys, keys.seal("sign-in", "again"))).toBe("again");
  });

  test("from before many changes are forgotten", () => {
    const keys = keysOf(["0"]);
    const token = keys.seal("sign-in", "hello");
    for (let each = 1; each <= 8; each += 1) keys.derive([String(each)], everybody);
    expect(textOf(keys, token)).toBe("hello");
    keys.derive(["9"], everybody);
    expect(textOf(keys, token)).toBeUndefined();
  });
});
