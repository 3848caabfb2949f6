import { expect, test } from "bun:test";
import { type Holder, TryTokens } from "../../../src/auth/try-tokens.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const clock = new FakeClock();
const holder = (id: string): Holder => ({ id, isCurrent: () => true });

test("a token ends after five minutes", () => {
  const tokens = new TryTokens(clock, systemIds);
  const { token, expiresInS } = tokens.issue(holder("a"));
  expect(expiresInS).toBe(300);
  clock.advance(299_000);
  expect(tokens.isCurrent(token)).toBe(true);
  clock.advance(1000);
  expect(tokens.isCurrent(token)).toBe(false);
});

test("a holder has at most ten tokens, and the eleventh ends the oldest one of that holder", () => {
  const tokens = new TryTokens(clock, systemIds);
  const other = tokens.issue(holder("b")).token;
  const issued = Array.from({ length: 11 }, () => tokens.issue(holder("a")).token);
  expect(issued.map((token) => tokens.isCurrent(token))).toEqual([false, ...Array<boolean>(10).fill(true)]);
  expect(tokens.isCurrent(other)).toBe(true);
});

test("at most a thousand tokens exist", () => {
  const tokens = new TryTokens(clock, systemIds);
  const issued = Array.from({ length: 1001 }, (_, at) => tokens.issue(holder(`h${at}`)).token);
  expect(issued.filter((token) => tokens.isCurrent(token))).toHaveLength(1000);
  expect(tokens.isCurrent(issued[0] ?? "")).toBe(false);
});
