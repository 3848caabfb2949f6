import "../../support/seed.ts";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Part, shareOf } from "../../../src/limits/share.ts";

const WHOLE = { isWhole: true };
const part = (server: string, held: number, wanted: number, served = 0): Part => ({ server, held, wanted, served });

test("a server that nobody else competes with has what the others leave", () => {
  expect(shareOf(10, { server: "a", served: 0 }, [], WHOLE)).toBe(10);
  expect(shareOf(10, { server: "a", served: 0 }, [part("b", 2, 1)], WHOLE)).toBe(7);
});

test("servers that all want more share alike", () => {
  expect(shareOf(12, { server: "a", served: 0 }, [part("b", 12, 5), part("c", 0, 9)], WHOLE)).toBe(4);
  expect(shareOf(10, { server: "a", served: 0 }, [part("b", 0, 50)], { isWhole: false })).toBe(5);
});

test("a limit of 1 belongs to the server that has let in the fewest requests", () => {
  expect(shareOf(1, { server: "a", served: 3 }, [part("b", 0, 4, 2)], WHOLE)).toBe(0);
  expect(shareOf(1, { server: "b", served: 2 }, [part("a", 0, 4, 3)], WHOLE)).toBe(1);
});

const servers = fc.array(fc.record({ held: fc.nat(40), wanted: fc.integer({ min: 1, max: 200 }), served: fc.nat(5) }), {
  minLength: 1,
  maxLength: 6,
});

test("the shares of servers that know the same and want more add up to the limit", () => {
  fc.assert(
    fc.property(servers, fc.integer({ min: 1, max: 100 }), (all, max) => {
      const parts = all.map((each, at) => ({ ...each, server: `s${at}` }));
      let sum = 0;
      for (const own of parts) {
        const others = parts.filter((each) => each !== own);
        // What a server would hold: its share, or all that it wants.
        sum += Math.min(shareOf(max, own, others, WHOLE), own.held + own.wanted);
      }
      const demand = parts.reduce((total, { held, wanted }) => total + held + wanted, 0);
      expect(sum).toBe(Math.min(max, demand));
    }),
  );
});
