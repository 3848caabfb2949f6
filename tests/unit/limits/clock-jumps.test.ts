import { expect, test } from "bun:test";
import fc from "fast-check";
import { Budget } from "../../../src/limits/budget.ts";
import { Calendar } from "../../../src/limits/calendar.ts";
import { BUDGETS } from "../../../src/limits/limit-names.ts";
import "../../support/seed.ts";

const HOUR = 3_600_000;

const steps = fc.array(
  fc.record({
    by: fc.oneof(fc.integer({ min: -72 * HOUR, max: 72 * HOUR }), fc.integer({ min: 0, max: HOUR })),
    amount: fc.nat({ max: 1000 }),
  }),
  { minLength: 1, maxLength: 40 },
);
const zones = fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia");

test("no jump of the clock, back or forth over any midnight, makes a budget forget what was used in its window", () => {
  const calendar = new Calendar();
  fc.assert(
    fc.property(steps, zones, fc.constantFrom(...BUDGETS), (jumps, zone, kind) => {
      const ledger: { readonly at: number; readonly amount: number }[] = [];
      const usedSince = (from: number): number =>
        ledger.reduce((sum, { at, amount }) => sum + (at >= from ? amount : 0), 0);
      const budget = new Budget({ kind, zone, max: 1, calendar, usedSince });
      let now = Date.UTC(2026, 9, 24, 12);
      for (const { by, amount } of jumps) {
        now += by;
        budget.add(amount, now);
        ledger.push({ at: now, amount });
        const { window, used } = budget.state(now);
        const inWindow = ledger.filter(({ at }) => at >= window.startsAt && at < window.endsAt);
        expect(used).toBeGreaterThanOrEqual(inWindow.reduce((sum, each) => sum + each.amount, 0));
      }
    }),
  );
});
