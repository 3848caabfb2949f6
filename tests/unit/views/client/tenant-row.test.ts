import { expect, test } from "bun:test";
import { emptyLimits, limitsOf, toLimits } from "../../../../views/client/limit-form.ts";
import { toTenantRow } from "../../../../views/client/tenant-row.ts";

const MADE = { source: "made", changed_at: "2026-11-27T12:00:00Z", changed_by: "cli" } as const;

test("a tenant has a bar for each limit, and says what happens at its limits only if that is not the usual", () => {
  const used = [{ limit: "parallel", used: 1, max: 8, resets_at: null }];
  const usual = toTenantRow({ ...MADE, name: "research", limits: { parallel: 8 }, used });
  expect([usual.limitLines[0]?.text, usual.manner]).toEqual(["1 of 8", ""]);
  const limits = { parallel: 8, max_waiting: 20, timezone: "Europe/Berlin", on_limit: "refuse" };
  const strict = toTenantRow({ ...MADE, name: "research", limits, used });
  expect(strict.manner).toBe("days of Europe/Berlin, 20 may wait, refuses at a limit");
});

test("the limits of a form are those that are typed, and come back as they were", () => {
  expect(toLimits(emptyLimits())).toEqual({});
  expect(toLimits({ ...emptyLimits(), tokens_per_day: " 2M ", on_limit: "refuse" })).toEqual({
    tokens_per_day: "2M",
    on_limit: "refuse",
  });
  const limits = { parallel: 8, timezone: "Europe/Berlin" };
  expect(toLimits(limitsOf(limits))).toEqual({ parallel: "8", timezone: "Europe/Berlin" });
});
