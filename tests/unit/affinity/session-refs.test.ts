import { expect, test } from "bun:test";
import { SessionRefs } from "../../../src/affinity/session-refs.ts";

test("a session keeps its number while it is used, and no number is used twice", () => {
  const refs = new SessionRefs(1000);
  const first = refs.use("a", 0);
  expect(refs.use("b", 0)).not.toBe(first);
  expect(refs.use("a", 500)).toBe(first);
  expect(refs.idOf(first)).toBe("a");
  const seen = new Set<number>();
  for (let at = 0; at < 5000; at += 1) seen.add(refs.use(`s${at}`, at));
  expect(seen.size).toBe(5000);
});

test("sessions that have not been used for as long as the table remembers are given up", () => {
  const refs = new SessionRefs(1000);
  const first = refs.use("a", 0);
  for (let at = 0; at < 5000; at += 1) refs.use(`s${at}`, at);
  expect(refs.size).toBeLessThan(3000);
  expect(refs.idOf(first)).toBeUndefined();
  expect(refs.idOf(refs.use("s4999", 5000))).toBe("s4999");
});
