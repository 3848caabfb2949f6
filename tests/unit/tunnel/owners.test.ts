import { expect, test } from "bun:test";
import fc from "fast-check";
import { IdOwners, type OwnedId, type OwnerListener, type OwnerRecords } from "../../../src/tunnel/owners.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { times } from "../../support/times.ts";

const DAY = 24 * 60 * 60_000;
const KEPT = 90 * DAY;
const A = { owner: "A" };
const B = { owner: "B" };

/** Records in memory, as a store would keep them. */
class Records implements OwnerRecords {
  readonly rows = new Map<string, OwnedId>();
  load = (): readonly OwnedId[] => [...this.rows.values()].sort((a, b) => (a.leftAt ?? 1e15) - (b.leftAt ?? 1e15));
  save = (owned: OwnedId): void => void this.rows.set(owned.id, owned);
  remove = (id: string): void => void this.rows.delete(id);
}

function start(given: { clock?: FakeClock; records?: Records; known?: Set<string> } = {}) {
  const { clock = new FakeClock(), records, known } = given;
  return { clock, owners: new IdOwners({ clock, records, isOwner: (owner) => known?.has(owner) ?? true }) };
}

test("an id belongs to its first claimant, who alone may take it over", () => {
  const { owners } = start();
  expect(owners.claim("w", A)).toBe(true);
  expect(owners.claim("w", A)).toBe(true);
  expect(owners.claim("w", B)).toBe(false);
  expect(owners.claim("v", B)).toBe(true);
});

test("a claimant that proves to be the owner takes the id, which then belongs to its new key alone", () => {
  const { owners } = start();
  owners.claim("w", A);
  owners.release("w");
  expect(owners.claim("w", { owner: "B", previousOwner: "C" })).toBe(false);
  expect(owners.claim("w", { owner: "B", previousOwner: "A" })).toBe(true);
  expect(owners.claim("w", A)).toBe(false);
  owners.release("w");
  expect(owners.claim("w", A)).toBe(false);
  expect(owners.claim("w", B)).toBe(true);
});

test("a connected worker's id is taken in the same way, and the late end of its session changes nothing", () => {
  const { owners } = start();
  owners.claim("w", A);
  expect(owners.claim("w", { owner: "B", previousOwner: "A" })).toBe(true);
  owners.release("w");
  expect(owners.claim("w", A)).toBe(false);
});

test("an id whose owner's key is gone from the server is free for everybody", () => {
  const known = new Set(["A", "B"]);
  const { owners } = start({ known });
  owners.claim("w", A);
  owners.release("w");
  expect(owners.claim("w", B)).toBe(false);
  known.delete("A");
  expect(owners.claim("w", B)).toBe(true);
});

test("a refused claim does not change the owner and needs no release", () => {
  const { owners, clock } = start();
  owners.claim("w", A);
  owners.claim("w", B);
  owners.release("w");
  clock.advance(KEPT - 1);
  expect(owners.claim("w", B)).toBe(false);
  clock.advance(1);
  expect(owners.claim("w", B)).toBe(true);
});

test("after a takeover the old session's late release does not affect the new claim", () => {
  const { owners, clock } = start();
  owners.claim("w", A);
  owners.claim("w", A);
  owners.release("w");
  clock.advance(KEPT * 2);
  expect(owners.claim("w", B)).toBe(false);
});

test("an id stays reserved for 90 days after its last session, then it is free", () => {
  const { owners, clock } = start();
  owners.claim("w", A);
  clock.advance(KEPT * 5);
  owners.release("w");
  clock.advance(KEPT - 1);
  expect(owners.claim("w", B)).toBe(false);
  expect(owners.claim("w", A)).toBe(true);
  owners.release("w");
  clock.advance(KEPT - 1);
  expect(owners.claim("w", B)).toBe(false);
  expect(owners.has("w")).toBe(true);
  clock.advance(1);
  expect(owners.has("w")).toBe(false);
  expect(owners.claim("w", B)).toBe(true);
  expect(owners.claim("w", A)).toBe(false);
});

test("an extra release, and one of an unknown id, change nothing", () => {
  const { owners } = start();
  owners.release("w");
  expect(owners.claim("w", A)).toBe(true);
  owners.release("w");
  owners.release("w");
  expect(owners.claim("w", B)).toBe(false);
});

test("an owner's newest 10,000 ids without a session are remembered, and connected ones always", () => {
  const records = new Records();
  const { owners } = start({ records });
  owners.claim("stays", A);
  for (let count = 0; count < 10_001; count += 1) {
    owners.claim(`w${count}`, A);
    owners.release(`w${count}`);
  }
  expect(records.rows.size).toBe(10_001);
  expect(owners.claim("stays", B)).toBe(false);
  expect(owners.claim("w0", B)).toBe(true);
  expect(owners.claim("w1", B)).toBe(false);
  expect(owners.claim("w10000", B)).toBe(false);
});

test("an owner that registers many ids pushes out neither another owner's ids nor the ids that it chose", () => {
  const { owners } = start();
  owners.claim("victim", A);
  owners.release("victim");
  owners.claim("chosen", B);
  owners.release("chosen");
  for (let count = 0; count < 20_000; count += 1) {
    owners.claim(`made${count}`, B, true);
    owners.release(`made${count}`);
  }
  expect(owners.claim("victim", B)).toBe(false);
  expect(owners.claim("chosen", A)).toBe(false);
  expect(owners.claim("made0", A)).toBe(true);
});

test("records bring the owners back, whether their workers had left or not, and nobody else gets their ids", () => {
  const [records, clock] = [new Records(), new FakeClock()];
  const before = start({ records, clock });
  before.owners.claim("left", A);
  before.owners.claim("connected", A);
  before.owners.claim("made", A, true);
  before.owners.release("left");
  clock.advance(KEPT - DAY);
  const after = start({ records, clock });
  for (const id of ["left", "connected", "made"]) expect(after.owners.claim(id, B)).toBe(false);
  clock.advance(DAY);
  expect(after.owners.claim("left", B)).toBe(true);
  expect(after.owners.claim("connected", B)).toBe(false);
  expect(after.owners.claim("made", B)).toBe(false);
  expect(records.rows.get("left")).toEqual({ id: "left", owner: "B", isMade: false, leftAt: undefined });
});

test("records that are too old are removed at the start", () => {
  const [records, clock] = [new Records(), new FakeClock()];
  const before = start({ records, clock });
  before.owners.claim("old", A);
  before.owners.release("old");
  clock.advance(KEPT);
  start({ records, clock });
  expect(records.rows.size).toBe(0);
});

/** Two servers that share records, each told of what the other has written. */
function startTwo() {
  const rows = new Map<string, OwnedId>();
  const listeners: (OwnerListener & { readonly of: string })[] = [];
  const lost: string[] = [];
  const tell = (from: string, tellOne: (listener: OwnerListener) => void): void => {
    for (const listener of listeners) if (listener.of !== from) tellOne(listener);
  };
  const toOther = (owned: OwnedId): OwnedId => (owned.leftAt === undefined ? { ...owned, isElsewhere: true } : owned);
  const recordsOf = (name: string): OwnerRecords => ({
    load: () => [...rows.values()].map(toOther),
    save(owned) {
      rows.set(owned.id, owned);
      tell(name, ({ saved }) => saved(toOther(owned)));
    },
    remove(id) {
      rows.delete(id);
      tell(name, ({ removed }) => removed(id));
    },
    watch: (listener) => listeners.push({ ...listener, of: name }),
  });
  const clock = new FakeClock();
  const startOne = (name: string): IdOwners =>
    new IdOwners({ clock, records: recordsOf(name), isOwner: () => true, onLost: (id) => lost.push(`${name} ${id}`) });
  return { rows, lost, clock, startOne, a: startOne("a"), b: startOne("b") };
}

test("an id that one server has granted is granted by no other one to another key, also after all restarts", () => {
  const { a, b, startOne } = startTwo();
  expect(a.claim("w", A)).toBe(true);
  expect(b.claim("w", B)).toBe(false);
  expect(b.has("w")).toBe(true);
  a.release("w");
  expect(b.claim("w", B)).toBe(false);
  expect(startOne("c").claim("w", B)).toBe(false);
  expect(b.claim("w", A)).toBe(true);
});

test("a server that starts records nothing of workers that other servers have", () => {
  const { a, rows, startOne, clock } = startTwo();
  a.claim("w", A);
  const before = rows.get("w");
  const c = startOne("c");
  clock.advance(2 * KEPT);
  expect(rows.get("w")).toBe(before);
  expect(c.claim("w", B)).toBe(false);
});

test("an id that turns out to belong to another key is lost to the sessions that have it", () => {
  const { a, b, lost } = startTwo();
  a.claim("w", A);
  b.claim("w", { owner: "B", previousOwner: "A" });
  expect(lost).toEqual(["a w"]);
  a.release("w");
  expect(a.claim("w", A)).toBe(false);
  expect(b.claim("w", B)).toBe(true);
});

test("a worker that moves to another server keeps its id, whichever session ends first", () => {
  const { a, b, lost, rows } = startTwo();
  a.claim("w", A);
  b.claim("w", A);
  a.release("w");
  expect(b.claim("w", B)).toBe(false);
  b.release("w");
  expect(rows.get("w")?.leftAt).toBeNumber();
  expect(lost).toEqual([]);
});

test("an id that another server has forgotten is free, unless a session has it", () => {
  const { a, b, clock } = startTwo();
  a.claim("w", A);
  a.claim("v", A);
  b.claim("v", A);
  a.release("w");
  a.release("v");
  clock.advance(KEPT);
  expect(a.has("w")).toBe(false);
  expect(b.claim("w", B)).toBe(true);
  expect(b.claim("v", B)).toBe(false);
});

test("in any order of sessions, restarts and key changes an id is granted exactly as the model says", () => {
  const step = fc.record({
    id: fc.constantFrom("x", "y"),
    owner: fc.constantFrom("A", "B"),
    previousOwner: fc.constantFrom(undefined, "A", "B"),
    do: fc.constantFrom("claim", "claim", "release", "wait", "restart"),
    ms: fc.constantFrom(1, KEPT / 2, KEPT),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [records, clock] = [new Records(), new FakeClock()];
      let { owners } = start({ records, clock });
      const model = new Map<string, { owner: string; sessions: number; leftAt: number }>();
      for (const each of steps) {
        const entry = model.get(each.id);
        if (each.do === "wait") clock.advance(each.ms);
        else if (each.do === "restart") {
          ({ owners } = start({ records, clock }));
          for (const other of model.values()) {
            if (other.sessions > 0) other.leftAt = clock.elapsed();
            other.sessions = 0;
          }
        } else if (each.do === "release") {
          owners.release(each.id);
          if (!entry || entry.sessions === 0) continue;
          entry.sessions -= 1;
          entry.leftAt = clock.elapsed();
        } else {
          const isFree = !entry || (entry.sessions === 0 && clock.elapsed() - entry.leftAt >= KEPT);
          const expected = isFree || entry.owner === each.owner || entry.owner === each.previousOwner;
          expect(owners.claim(each.id, each)).toBe(expected);
          if (!expected) continue;
          const sessions = isFree ? 0 : entry.sessions;
          model.set(each.id, { owner: each.owner, sessions: sessions + 1, leftAt: 0 });
        }
      }
    }),
    { numRuns: times(1000) },
  );
});

test("the ids of an owner whose key was replaced belong to its heir, and are free once no key stands for that one", () => {
  const known = new Set(["A", "B", "C"]);
  const clock = new FakeClock();
  let heir = "A";
  const owners = new IdOwners({ clock, isOwner: (owner) => known.has(owner), heirOf: () => heir });
  for (const id of ["v", "w"]) {
    owners.claim(id, A);
    owners.release(id);
  }
  known.delete("A");
  heir = "B";
  expect(owners.claim("w", { owner: "C" })).toBe(false);
  expect(owners.claim("w", { owner: "C", previousOwner: "B" })).toBe(true);
  expect(owners.claim("v", { owner: "C" })).toBe(false);
  known.delete("B");
  expect(owners.claim("v", { owner: "C" })).toBe(true);
});
