import { describe, expect, test } from "bun:test";
import { Calendar, type Unit, type Window } from "../../../src/limits/calendar.ts";
import { times } from "../../support/times.ts";
import { daysOf, wrongWindows } from "../../support/window-checks.ts";

const window = (at: string, zone: string | undefined, unit: Unit): Window =>
  new Calendar().window(Date.parse(at), zone, unit);
const bounds = ({ startsAt, endsAt }: Window): readonly string[] =>
  [startsAt, endsAt].map((at) => new Date(at).toISOString());

describe("a window", () => {
  test("is a day, a week from Monday or a month of the zone, by default of UTC", () => {
    const at = "2026-11-27T23:30:00Z";
    expect(window(at, undefined, "day")).toMatchObject({
      id: "2026-11-27",
      startsAt: Date.parse("2026-11-27T00:00:00Z"),
    });
    expect(window(at, "Europe/Berlin", "day").id).toBe("2026-11-28");
    expect(window(at, "Europe/Berlin", "week").id).toBe("2026-W48");
    expect(bounds(window(at, "Europe/Berlin", "week"))).toEqual([
      "2026-11-22T23:00:00.000Z",
      "2026-11-29T23:00:00.000Z",
    ]);
    expect(bounds(window(at, "Asia/Kathmandu", "month"))).toEqual([
      "2026-10-31T18:15:00.000Z",
      "2026-11-30T18:15:00.000Z",
    ]);
  });

  test("of a zone that is not known is that of UTC", () => {
    expect(window("2026-11-27T23:30:00Z", "Mars/Olympus", "day")).toEqual(window("2026-11-27T23:30:00Z", "UTC", "day"));
  });

  test("has 23 or 25 hours on the days on which clocks change", () => {
    const hours = ({ startsAt, endsAt }: Window): number => (endsAt - startsAt) / 3_600_000;
    expect(hours(window("2027-03-28T12:00:00Z", "Europe/Berlin", "day"))).toBe(23);
    expect(hours(window("2027-10-31T12:00:00Z", "Europe/Berlin", "day"))).toBe(25);
    expect(hours(window("2027-10-31T12:00:00Z", "Europe/Berlin", "week"))).toBe(169);
    expect(hours(window("2026-10-04T12:00:00Z", "Australia/Lord_Howe", "day"))).toBe(23.5);
  });

  test("begins at one o'clock where summer time begins at midnight", () => {
    // In Cuba, 00:00 becomes 01:00 on 14 March 2027.
    expect(bounds(window("2027-03-14T12:00:00Z", "America/Havana", "day"))[0]).toBe("2027-03-14T05:00:00.000Z");
    expect(window("2027-03-14T04:59:59.999Z", "America/Havana", "day").id).toBe("2027-03-13");
  });

  test("begins once where clocks go back to midnight, or over it", () => {
    // In Cuba, 01:00 becomes 00:00. The day begins at the first midnight.
    expect(bounds(window("2026-11-01T04:30:00Z", "America/Havana", "day"))[0]).toBe("2026-11-01T04:00:00.000Z");
    expect(window("2026-11-01T05:30:00Z", "America/Havana", "day").id).toBe("2026-11-01");
    // In Newfoundland, 00:01 became 23:01 of the day before.
    const before = window("2010-11-07T02:29:59Z", "America/St_Johns", "day");
    const after = window("2010-11-07T02:30:00Z", "America/St_Johns", "day");
    expect([before.id, after.id]).toEqual(["2010-11-06", "2010-11-07"]);
    expect(window("2010-11-07T02:45:00Z", "America/St_Johns", "day")).toEqual(after);
  });

  test("of a week at the turn of a year has the number that ISO 8601 gives it", () => {
    const ids = ["2024-12-30", "2027-01-03", "2027-01-04", "2028-12-31", "2032-12-27"].map(
      (day) => window(`${day}T12:00:00Z`, "UTC", "week").id,
    );
    expect(ids).toEqual(["2025-W01", "2026-W53", "2027-W01", "2028-W52", "2032-W53"]);
  });
});

test("a time is written with the offset of its zone", () => {
  const calendar = new Calendar();
  const at = Date.parse("2026-11-27T23:00:00Z");
  expect(calendar.format(at, "Europe/Berlin")).toBe("2026-11-28T00:00:00+01:00");
  expect(calendar.format(at, "America/St_Johns")).toBe("2026-11-27T19:30:00-03:30");
  expect(calendar.format(at, undefined)).toBe("2026-11-27T23:00:00Z");
  for (const zone of ["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"])
    expect(Date.parse(calendar.format(at, zone))).toBe(at);
});

/** Looks at each fortieth day of each zone. With `FUZZ_TIMES=40` it looks at every day, which takes two minutes. */
test("windows are right around the midnights of every zone, on days of two years", () => {
  const zones = Intl.supportedValuesOf("timeZone");
  expect(zones.length).toBeGreaterThan(400);
  const days = daysOf("2026-11-01", "2028-11-01");
  zones.forEach((zone, index) => {
    const every = Math.max(1, Math.floor(40 / times(1)));
    expect(
      wrongWindows(
        zone,
        days.filter((_, day) => day % every === index % every),
      ),
    ).toEqual([]);
  });
}, 60_000);
