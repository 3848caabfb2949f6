import { describe, expect, test } from "bun:test";
import { TokenKeys } from "../../../src/auth/token-keys.ts";
import { type Holder, TryTokens } from "../../../src/auth/try-tokens.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const SIGN_IN = { id: "s1", endsAt: Number.MAX_SAFE_INTEGER };

function create(isCurrent: (holder: Holder) => boolean = () => true) {
  const clock = new FakeClock();
  const keys = new TokenKeys({ clock });
  keys.derive(["admin"], () => true);
  return { clock, keys, tokens: new TryTokens({ clock, keys, isCurrent }) };
}

describe("a try token", () => {
  test("ends after five minutes", () => {
    const { clock, tokens } = create();
    const { token, expiresInS } = tokens.issue({ owner: "key:1", signIn: undefined });
    expect(expiresInS).toBe(300);
    clock.advance(299_000);
    expect(tokens.isCurrent(token)).toBe(true);
    clock.advance(1000);
    expect(tokens.isCurrent(token)).toBe(false);
  });

  test("ends when its holder is no operator any more", () => {
    const current = new Set<string>(["key:1"]);
    const { tokens } = create(({ owner }) => current.has(owner));
    const { token } = tokens.issue({ owner: "key:1", signIn: undefined });
    expect(tokens.isCurrent(token)).toBe(true);
    current.clear();
    expect(tokens.isCurrent(token)).toBe(false);
  });

  test("names the sign-in that it belongs to", () => {
    let seen: Holder | undefined;
    const { tokens } = create((holder) => {
      seen = holder;
      return true;
    });
    tokens.isCurrent(tokens.issue({ owner: "key:1", signIn: SIGN_IN }).token);
    expect(seen).toMatchObject({ owner: "key:1", signIn: SIGN_IN });
  });

  test("is no sign-in, and a sign-in is no try token", () => {
    const { keys, tokens } = create();
    const { token } = tokens.issue({ owner: "key:1", signIn: undefined });
    expect(keys.open("sign-in", token.slice("try-".length))).toBeUndefined();
    expect(tokens.isCurrent(`try-${keys.seal("sign-in", JSON.stringify({ owner: "key:1", ends_at: 9e15 }))}`)).toBe(
      false,
    );
  });

  test.each([
    ["no JSON", "x"],
    ["no object", "[]"],
    ["no owner", '{"ends_at":9e15}'],
    ["no end", '{"owner":"key:1"}'],
    ["a sign-in without an end", '{"owner":"key:1","ends_at":9e15,"sign_in":{"id":"s1"}}'],
  ])("with %s is refused", (_what, text) => {
    const { keys, tokens } = create();
    expect(tokens.isCurrent(`try-${keys.seal("try", text)}`)).toBe(false);
  });

  test.each(["", "try-", "try-x", `try-${"A".repeat(100)}`, `try-${"A".repeat(5000)}`])("%p is refused", (token) => {
    expect(create().tokens.isCurrent(token)).toBe(false);
  });
});
