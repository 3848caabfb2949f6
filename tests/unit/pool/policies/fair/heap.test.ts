import { expect, test } from "bun:test";
import fc from "fast-check";
import { Heap, type Heaped } from "../../../../../src/pool/policies/fair/heap.ts";
import { times } from "../../../../support/times.ts";

interface Member extends Heaped {
  value: number;
}

test("the first member of a heap is the least, whatever is added, changed and removed", () => {
  const step = fc.record({ at: fc.nat({ max: 19 }), value: fc.integer({ min: 0, max: 50 }), leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const members = Array.from({ length: 20 }, (): Member => ({ at: -1, value: 0 }));
      const heap = new Heap<Member>((a, b) => a.value < b.value);
      const inside = new Set<Member>();
      for (const { at, value, leaves } of steps) {
        const member = members[at] ?? { at: -1, value: 0 };
        if (inside.has(member) && leaves) {
          heap.remove(member);
          inside.delete(member);
        } else {
          member.value = value;
          if (inside.has(member)) heap.update(member);
          else heap.add(member);
          inside.add(member);
        }
        expect(heap.size).toBe(inside.size);
        expect(heap.top?.value).toBe(inside.size > 0 ? Math.min(...[...inside].map((each) => each.value)) : undefined);
        for (const each of members) expect(each.at >= 0).toBe(inside.has(each));
      }
    }),
    { numRuns: times(200) },
  );
});

test("serving one of 1,000 members takes at most two comparisons for each level of the heap", () => {
  let comparisons = 0;
  const heap = new Heap<Member>((a, b) => {
    comparisons += 1;
    return a.value < b.value;
  });
  for (let at = 0; at < 1000; at += 1) heap.add({ at: -1, value: (at * 7919) % 1000 });
  for (let at = 0; at < 5000; at += 1) {
    const first = heap.top;
    if (!first) throw new Error("there are a thousand");
    comparisons = 0;
    first.value += 1 + ((at * 31) % 1000);
    heap.update(first);
    expect(comparisons).toBeLessThanOrEqual(2 * Math.ceil(Math.log2(1000)));
  }
});
