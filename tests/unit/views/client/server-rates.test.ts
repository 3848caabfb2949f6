import { expect, test } from "bun:test";
import type { ServerRow } from "../../../../src/state/cluster-state.ts";
import { ServerRates } from "../../../../views/client/server-rates.ts";

/** A row with the members that rates are made of. */
const row = (id: string, at: number, requests: number): ServerRow => ({ id, sample: { at, requests } }) as ServerRow; // Rates read no other member.

test("the requests of a server are averaged over as many seconds as are known, and over ten at most", () => {
  const rates = new ServerRates();
  expect(rates.requests("a")).toBe(0);
  rates.take([row("a", 1000, 4), row("b", 1000, 0)]);
  expect(rates.requests("a")).toBe(4);
  rates.take([row("a", 2000, 0), row("b", 2000, 0)]);
  expect(rates.requests("a")).toBe(2);
  for (let second = 3; second <= 12; second += 1) rates.take([row("a", second * 1000, 1)]);
  expect(rates.requests("a")).toBe(1);
});

test("the requests of a server that has left the list are forgotten", () => {
  const rates = new ServerRates();
  rates.take([row("a", 1000, 4)]);
  rates.take([]);
  expect(rates.requests("a")).toBe(0);
});
