import { expect, test } from "bun:test";
import fc from "fast-check";
import { createRanked, Ranking } from "../../../src/pool/ranking.ts";

test("choosing among 5,000 members looks at one of them", () => {
  const ranking = new Ranking<number>();
  for (let index = 0; index < 5000; index += 1) ranking.place(createRanked(index), 0);
  let looks = 0;
  ranking.first(() => {
    looks += 1;
    return true;
  });
  expect(looks).toBe(1);
});

test("a ranking keeps the order of load, then of arrival, through any moves", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: -1, max: 4 })), { maxLength: 80 }),
      (moves) => {
        const ranking = new Ranking<number>();
        const members = Array.from({ length: 10 }, (_, index) => createRanked(index));
        let placed: { readonly value: number; readonly load: number }[] = [];
        for (const [value, load] of moves) {
          const member = members[value];
          if (!member) continue;
          placed = placed.filter((each) => each.value !== value);
          if (load < 0) ranking.remove(member);
          else {
            ranking.place(member, load);
            placed.push({ value, load });
          }
          const expected = [...placed].sort((a, b) => a.load - b.load)[0]?.value;
          expect(ranking.first()).toBe(expected);
        }
        for (const { value } of placed.toSorted((a, b) => a.load - b.load)) {
          expect(ranking.first()).toBe(value);
          ranking.remove(members[value] ?? expect.unreachable());
        }
        expect(ranking.first()).toBeUndefined();
      },
    ),
  );
});
