import { expect, test } from "bun:test";
import fc from "fast-check";
import { IdOwners } from "../../../src/tunnel/owners.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { times } from "../../support/times.ts";

const TEN_MINUTES = 10 * 60_000;

function start() {
  const clock = new FakeClock();
  return { clock, owners: new IdOwners(clock) };
}

test("an id belongs to its first claimant, who alone may take it over", () => {
  const { owners } = start();
  expect(owners.claim("w", "key A")).toBe(true);
  expect(owners.claim("w", "key A")).toBe(true);
  expect(owners.claim("w", "key B")).toBe(false);
  expect(owners.claim("v", "key B")).toBe(true);
});

test("a refused claim does not change the owner and needs no release", () => {
  const { owners, clock } = start();
  owners.claim("w", "A");
  owners.claim("w", "B");
  owners.release("w");
  clock.advance(TEN_MINUTES - 1);
  expect(owners.claim("w", "B")).toBe(false);
  clock.advance(1);
  expect(owners.claim("w", "B")).toBe(true);
});

test("after a takeover the old session's late release does not affect the new claim", () => {
  const { owners, clock } = start();
  owners.claim("w", "A");
  owners.claim("w", "A");
  owners.release("w");
  clock.advance(TEN_MINUTES * 2);
  expect(owners.claim("w", "B")).toBe(false);
});

test("an id stays reserved for ten minutes after its last session, then it is free", () => {
  const { owners, clock } = start();
  owners.claim("w", "A");
  clock.advance(TEN_MINUTES * 5);
  owners.release("w");
  clock.advance(TEN_MINUTES - 1);
  expect(owners.claim("w", "B")).toBe(false);
  expect(owners.claim("w", "A")).toBe(true);
  owners.release("w");
  clock.advance(TEN_MINUTES - 1);
  expect(owners.claim("w", "B")).toBe(false);
  clock.advance(1);
  expect(owners.claim("w", "B")).toBe(true);
  expect(owners.claim("w", "A")).toBe(false);
});

test("an extra release, and one of an unknown id, change nothing", () => {
  const { owners } = start();
  owners.release("w");
  expect(owners.claim("w", "A")).toBe(true);
  owners.release("w");
  owners.release("w");
  expect(owners.claim("w", "B")).toBe(false);
});

test("the newest 50,000 ids without a session are remembered, and connected ones always", () => {
  const { owners } = start();
  owners.claim("stays", "A");
  for (let count = 0; count < 50_001; count += 1) {
    owners.claim(`w${count}`, "A");
    owners.release(`w${count}`);
  }
  expect(owners.claim("stays", "B")).toBe(false);
  expect(owners.claim("w0", "B")).toBe(true);
  expect(owners.claim("w1", "B")).toBe(false);
  expect(owners.claim("w50000", "B")).toBe(false);
});

test("in any order of sessions an id is granted exactly as the model says", () => {
  const step = fc.record({
    id: fc.constantFrom("x", "y"),
    owner: fc.constantFrom("A", "B"),
    do: fc.constantFrom("claim" as const, "release" as const, "wait" as const),
    ms: fc.constantFrom(1, TEN_MINUTES / 2, TEN_MINUTES),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { owners, clock } = start();
      const model = new Map<string, { owner: string; sessions: number; leftAt: number }>();
      for (const each of steps) {
        const entry = model.get(each.id);
        if (each.do === "wait") clock.advance(each.ms);
        else if (each.do === "release") {
          owners.release(each.id);
          if (!entry || entry.sessions === 0) continue;
          entry.sessions -= 1;
          entry.leftAt = clock.elapsed();
        } else {
          const isFree = !entry || (entry.sessions === 0 && clock.elapsed() - entry.leftAt >= TEN_MINUTES);
          const expected = isFree || entry.owner === each.owner;
          expect(owners.claim(each.id, each.owner)).toBe(expected);
          if (!expected) continue;
          model.set(each.id, { owner: each.owner, sessions: (entry?.sessions ?? 0) + 1, leftAt: 0 });
        }
      }
    }),
    { numRuns: times(1000) },
  );
});
