import "../../../support/seed.ts";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type IdFact, IdFacts, type Verdict } from "../../../../src/cluster/ids/id-facts.ts";

function fact(changes: Partial<IdFact> & Pick<IdFact, "server">): IdFact {
  const { server, session = `${server}~1`, at = 1 } = changes;
  return { id: "w", session, owner: "o", was: undefined, since: at, at, isLeaving: false, ...changes, server };
}

/** Judges each session among all the facts. */
function judged(facts: readonly IdFact[]): readonly Verdict[] {
  const ids = new IdFacts();
  for (const each of facts) ids.add(each);
  return facts.map((each) => ids.judge(each));
}

test("a worker that has connected elsewhere keeps its latest session", () => {
  expect(judged([fact({ server: "a", at: 1 }), fact({ server: "b", at: 2 })])).toEqual(["replaced", "stays"]);
});

test("a session whose worker was told to leave goes on beside the later one", () => {
  const facts = [fact({ server: "a", at: 1, isLeaving: true }), fact({ server: "b", at: 2 })];
  expect(judged(facts)).toEqual(["stays", "stays"]);
});

test("an id belongs to the owner who has had it for longest", () => {
  const facts = [fact({ server: "a", at: 1 }), fact({ server: "b", at: 2, owner: "p" })];
  expect(judged(facts)).toEqual(["stays", "id_in_use"]);
});

test("sessions of equal stamps are ordered by their servers", () => {
  expect(judged([fact({ server: "a" }), fact({ server: "b" })])).toEqual(["replaced", "stays"]);
  expect(judged([fact({ server: "a" }), fact({ server: "b", owner: "p" })])).toEqual(["stays", "id_in_use"]);
});

test("the owner of a worker that has left keeps the id for it", () => {
  const left = fact({ server: "a", at: 1, session: undefined });
  const ids = new IdFacts();
  ids.add({ ...left, session: undefined });
  const other = fact({ server: "b", at: 2, owner: "p" });
  ids.add(other);
  expect(ids.judge(other)).toBe("id_in_use");
  expect(ids.holderOf("w")?.owner).toBe("o");
});

test("a later session inherits the time since which its owner has had the id", () => {
  const ids = new IdFacts();
  ids.add(fact({ server: "a", since: 5, at: 9 }));
  expect(ids.sinceFor("w", { owner: "o", was: undefined }, 20)).toBe(5);
  expect(ids.sinceFor("w", { owner: "p", was: "o" }, 20)).toBe(4);
  expect(ids.sinceFor("w", { owner: "p", was: undefined }, 20)).toBe(20);
});

test("a worker whose key was replaced keeps its id, in whatever order servers hear of it", () => {
  const old = fact({ server: "a", at: 1 });
  const replaced = fact({ server: "b", at: 2, owner: "p", was: "o" });
  expect(judged([old, replaced])).toEqual(["replaced", "stays"]);
  // The one with the old key alone has no right to the id any more.
  expect(judged([replaced, fact({ server: "c", at: 3 })])).toEqual(["stays", "replaced"]);
  expect(judged([{ ...old, isLeaving: true }, replaced])).toEqual(["stays", "stays"]);
});

const anyFact = fc.record({
  server: fc.constantFrom("a", "b", "c"),
  session: fc.integer({ min: 1, max: 4 }).map((number) => `s${number}`),
  owner: fc.constantFrom("o", "p", "q"),
  was: fc.option(fc.constantFrom("o", "p", "q"), { nil: undefined }),
  since: fc.nat(5),
  later: fc.nat(5),
  isLeaving: fc.boolean(),
});
const anyFacts = fc
  .uniqueArray(anyFact, { maxLength: 7, selector: ({ server, session }) => `${server} ${session}` })
  .map((all) =>
    all.map(({ server, session, owner, was, since, later, isLeaving }) =>
      fact({ server, session: `${server}~${session}`, owner, was, since, at: since + later, isLeaving }),
    ),
  );

test("verdicts depend on the facts and not on their order, and exactly one session stays that may", () => {
  fc.assert(
    fc.property(anyFacts, fc.infiniteStream(fc.nat()), (facts, order) => {
      const verdicts = new Map(facts.map((each, at) => [each.session, judged(facts)[at]]));
      const shuffled = facts
        .map((each) => ({ each, key: order.next().value ?? 0 }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ each }) => each);
      const again = judged(shuffled);
      for (const [at, { session }] of shuffled.entries()) expect(again[at]).toBe(verdicts.get(session));
      const staying = facts.filter(({ session, isLeaving }) => verdicts.get(session) === "stays" && !isLeaving);
      expect(staying.length).toBeLessThanOrEqual(1);
      if (facts.length > 0 && facts.every(({ isLeaving }) => !isLeaving)) expect(staying).toHaveLength(1);
    }),
  );
});
