import { expect, test } from "bun:test";
import fc from "fast-check";
import { ReceiveCredit, SendCredit } from "../../../src/wire/credit.ts";
import { times } from "../../support/times.ts";

test("with any sends and reads, grants are at least a quarter window, never exceed what was read, and never stall a sender", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.array(fc.record({ send: fc.nat(3000), take: fc.nat(3000) }), { maxLength: 60 }),
      (window, turns) => {
        const receive = new ReceiveCredit(window);
        const send = new SendCredit(window);
        let sent = 0;
        let taken = 0;
        let granted = 0;
        const grant = (bytes: number): void => {
          if (bytes === 0) return;
          expect(bytes).toBeGreaterThanOrEqual(Math.max(1, Math.floor(window / 4)));
          granted += bytes;
          send.grant(bytes);
        };
        for (const turn of turns) {
          const bytes = Math.min(turn.send, send.left);
          send.spend(bytes);
          sent += bytes;
          expect(receive.receive(bytes)).toBe(true);
          const take = Math.min(turn.take, sent - taken);
          taken += take;
          grant(receive.consume(take));
          expect(granted).toBeLessThanOrEqual(taken);
          expect(sent - taken).toBeLessThanOrEqual(window);
          expect(receive.isSpent).toBe(send.left === 0);
        }
        // When everything has been taken, the sender can go on.
        grant(receive.consume(sent - taken));
        expect(send.left).toBeGreaterThan(0);
      },
    ),
    { numRuns: times(1000) },
  );
});

test("a whole window is allowed and one byte more is not, before and after a grant", () => {
  const credit = new ReceiveCredit(100);
  expect(credit.receive(100)).toBe(true);
  expect(credit.receive(0)).toBe(true);
  expect(credit.consume(100)).toBe(100);
  expect(credit.receive(100)).toBe(true);
  expect(credit.receive(1)).toBe(false);
});

test("a peer that exceeded its credit is not excused by an empty frame", () => {
  const credit = new ReceiveCredit(10);
  expect(credit.receive(11)).toBe(false);
  expect(credit.receive(0)).toBe(false);
  expect(credit.isSpent).toBe(true);
});

test("bytes read one by one are granted once they make up a quarter", () => {
  const credit = new ReceiveCredit(100);
  credit.receive(100);
  const grants: number[] = [];
  for (let count = 0; count < 100; count += 1) grants.push(credit.consume(1));
  expect(grants.filter((bytes) => bytes > 0)).toEqual([25, 25, 25, 25]);
});

test("a step of one gives every byte back at once, for a peer that knows no grants", () => {
  const credit = new ReceiveCredit(10, 1);
  credit.receive(10);
  expect(credit.consume(3)).toBe(3);
  expect(credit.receive(4)).toBe(false);
});

test("an infinite window is never used up", () => {
  const credit = new SendCredit(Number.POSITIVE_INFINITY);
  credit.spend(Number.MAX_SAFE_INTEGER);
  expect(credit.left).toBe(Number.POSITIVE_INFINITY);
});
