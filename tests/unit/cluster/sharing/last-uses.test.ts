import { expect, test } from "bun:test";
import { LastUses } from "../../../../src/cluster/sharing/last-uses.ts";
import { Tells } from "../../../../src/cluster/tells.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { MemoryLinks } from "../../../support/memory-links.ts";

function start(count: number) {
  const clock = new FakeClock();
  const links = new MemoryLinks(clock);
  const servers = Array.from({ length: count }, (_, at) => {
    const told: [string, number][] = [];
    const uses = new LastUses(clock, new Tells(links.join(`s${at}`)));
    uses.onTold((id, usedAt) => told.push([id, usedAt]));
    return { uses, told };
  });
  links.connectAll();
  const [a, b] = servers;
  if (!a || !b) throw new Error("there are two");
  return { clock, a, b };
}

/** How long a message takes over links in memory. */
const LINK_MS = 1;

const idOf = (at: number): string => String(at).padStart(12, "0");

test("the last use of a key is told to the other servers, once in a while", () => {
  const { clock, a, b } = start(2);
  const first = clock.now();
  a.uses.note(idOf(1), first);
  clock.advance(1000);
  a.uses.note(idOf(1), first + 1000);
  a.uses.note(idOf(2), first + 1000);
  expect(b.told).toEqual([]);
  clock.advance(5000 + LINK_MS);
  // The age is that at the sender, so the way of the message makes the use a little younger.
  expect(b.told).toEqual([
    [idOf(1), first + 1000 + LINK_MS],
    [idOf(2), first + 1000 + LINK_MS],
  ]);
  clock.advance(60_000);
  expect(b.told).toHaveLength(2);
  expect(a.told).toEqual([]);
});

test("the uses of ten thousand keys are told in messages of a thousand", () => {
  const { clock, a, b } = start(2);
  for (let at = 0; at < 10_000; at += 1) a.uses.note(idOf(at), clock.now());
  const counts: number[] = [];
  clock.advance(LINK_MS);
  for (let round = 0; round < 11; round += 1) {
    clock.advance(5000);
    counts.push(b.told.length);
  }
  expect(counts).toEqual([1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 10_000]);
  expect(new Set(b.told.map(([id]) => id)).size).toBe(10_000);
});
