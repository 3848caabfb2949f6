import { Calendar, type Unit } from "../../src/limits/calendar.ts";

const UNITS: readonly Unit[] = ["day", "week", "month"];
const DAY_MS = 86_400_000;

/** Lists the days from one date until before another, as `2026-11-27`. */
export function daysOf(from: string, until: string): readonly string[] {
  const days: string[] = [];
  for (let at = Date.parse(from); at < Date.parse(until); at += DAY_MS)
    days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/**
 * Compares windows of a zone around the midnights of these days with the dates that the zone's own calendar shows. It knows
 * nothing of offsets: a window must begin at the first moment of its date, end where the next one begins, and contain the
 * times for which it was asked. Returns what is wrong.
 */
export function wrongWindows(zone: string, days: readonly string[]): readonly string[] {
  const shown = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" });
  const calendar = new Calendar();
  const wrong: string[] = [];
  for (const day of days) {
    const noon = noonOf(day, shown);
    const { startsAt } = calendar.window(noon, zone, "day");
    if (shown.format(startsAt) !== day || shown.format(startsAt - 1) >= day) wrong.push(`${zone} ${day} begins`);
    for (const unit of UNITS) {
      for (const at of [noon, startsAt, startsAt - 1]) {
        const window = calendar.window(at, zone, unit);
        const isAround = window.startsAt <= at && at < window.endsAt;
        const next = calendar.window(window.endsAt, zone, unit);
        const last = calendar.window(window.startsAt - 1, zone, unit);
        const isInLine = next.startsAt === window.endsAt && last.endsAt === window.startsAt && next.id > window.id;
        const firstDay = shown.format(window.startsAt);
        const isRightDay =
          unit === "day"
            ? window.id === firstDay
            : unit === "month"
              ? firstDay === `${window.id}-01`
              : new Date(firstDay).getUTCDay() === 1 && shown.format(window.endsAt - 1) > firstDay;
        if (!isAround || !isInLine || !isRightDay) wrong.push(`${zone} ${day} ${unit} at ${at}`);
      }
    }
  }
  return wrong;
}

/** Finds a time at which the zone shows this date, about the middle of the day. */
function noonOf(day: string, shown: Intl.DateTimeFormat): number {
  const noon = Date.parse(`${day}T12:00:00Z`);
  const found = [0, -10, 10, -5, 5].map((hours) => noon + hours * 3_600_000).find((at) => shown.format(at) === day);
  if (found === undefined) throw new Error(`no time of ${day} was found`);
  return found;
}
