/** The units of time for which budgets are given. Weeks begin on Monday. */
export type Unit = "day" | "week" | "month";

/** One day, week or month of a zone. Windows of one zone and unit follow each other without gaps. */
export interface Window {
  /** `2026-11-27`, `2026-W48` or `2026-11`: unique among all windows of a zone. */
  readonly id: string;
  /** The first millisecond of the window, since 1970. */
  readonly startsAt: number;
  /** The first millisecond after it. */
  readonly endsAt: number;
}

const DAY_MS = 86_400_000;
/** No zone is farther from UTC. */
const MAX_OFFSET_MS = 16 * 3_600_000;
const UTC = "UTC";
/** The most zones that are remembered. There are about 600 names, each of which can be written in several ways. */
const MAX_ZONES = 1000;

/**
 * Days, weeks and months of time zones. Nothing happens when one of them begins: a window is computed from the time for
 * which it is asked. A day begins at the first moment with its date, which is one o'clock where summer time begins at
 * midnight, and lasts until the next day begins.
 */
export class Calendar {
  readonly #zones = new Map<string, Zone>();

  /** Returns the window around a time. A zone that this machine does not know counts as UTC. */
  window(now: number, zone: string | undefined, unit: Unit): Window {
    return this.#zone(zone ?? UTC).window(now, unit);
  }

  /** Returns a time as RFC 3339 with the offset of the zone: `2026-11-28T00:00:00+01:00`. */
  format(at: number, zone: string | undefined): string {
    return this.#zone(zone ?? UTC).format(at);
  }

  #zone(name: string): Zone {
    const known = this.#zones.get(name);
    if (known) return known;
    if (this.#zones.size >= MAX_ZONES) this.#zones.clear();
    const zone = new Zone(name);
    this.#zones.set(name, zone);
    return zone;
  }
}

class Zone {
  readonly #toLocal: Intl.DateTimeFormat;
  /** The window of each unit that was asked for last, which is nearly always the one that is asked for next. */
  readonly #last = new Map<Unit, Window>();

  constructor(name: string) {
    this.#toLocal = formatterOf(name) ?? formatterOf(UTC) ?? new Intl.DateTimeFormat();
  }

  window(now: number, unit: Unit): Window {
    const last = this.#last.get(unit);
    if (last && now >= last.startsAt && now < last.endsAt) return last;
    const day = this.#dayOf(now);
    const first = firstDayOf(day, unit);
    const window: Window = {
      id: idOf(first, unit),
      startsAt: this.#startOf(first),
      endsAt: this.#startOf(nextAfter(first, unit)),
    };
    this.#last.set(unit, window);
    return window;
  }

  format(at: number): string {
    const offset = this.#offsetAt(at);
    const local = new Date(at + offset).toISOString().slice(0, 19);
    if (offset === 0) return `${local}Z`;
    const minutes = Math.abs(offset) / 60_000;
    const two = (value: number): string => String(Math.floor(value)).padStart(2, "0");
    return `${local}${offset < 0 ? "-" : "+"}${two(minutes / 60)}:${two(minutes % 60)}`;
  }

  /** Returns the day to which a time belongs, as the number of days since 1970. */
  #dayOf(now: number): number {
    const shown = Math.floor((now + this.#offsetAt(now)) / DAY_MS);
    // Where clocks go back over midnight, they show a date again after its day has ended.
    return this.#startOf(shown + 1) <= now ? shown + 1 : shown;
  }

  /** Returns the first moment with the date of this day, or the next moment if the zone skipped the date. */
  #startOf(day: number): number {
    const midnight = day * DAY_MS;
    const [early, late] = [midnight - MAX_OFFSET_MS, midnight + MAX_OFFSET_MS];
    const [before, after] = [this.#offsetAt(early), this.#offsetAt(late)];
    if (before === after) return midnight - before;
    const turn = this.#turnBetween(early, late, before);
    const byOldClock = midnight - before;
    return byOldClock < turn ? byOldClock : Math.max(turn, midnight - after);
  }

  /** Finds the first moment whose offset is not `before`. */
  #turnBetween(from: number, until: number, before: number): number {
    let [low, high] = [from, until];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offsetAt(middle) === before) low = middle;
      else high = middle;
    }
    return high;
  }

  /** Returns how many milliseconds the zone's clock is ahead of UTC. */
  #offsetAt(at: number): number {
    const whole = Math.floor(at / 1000) * 1000;
    const [month, day, year, hour, minute, second] = (this.#toLocal.format(whole).match(/\d+/g) ?? []).map(Number);
    return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second) - whole;
  }
}

function formatterOf(zone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function firstDayOf(day: number, unit: Unit): number {
  switch (unit) {
    case "day":
      return day;
    case "week":
      return day - daysSinceMonday(day);
    case "month":
      return day - (new Date(day * DAY_MS).getUTCDate() - 1);
  }
}

/** Returns the first day after the unit that begins on this day. */
function nextAfter(first: number, unit: Unit): number {
  if (unit === "day") return first + 1;
  if (unit === "week") return first + 7;
  const date = new Date(first * DAY_MS);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / DAY_MS;
}

function idOf(first: number, unit: Unit): string {
  const date = new Date(first * DAY_MS).toISOString().slice(0, 10);
  if (unit === "day") return date;
  if (unit === "month") return date.slice(0, 7);
  // A week belongs to the year that has its Thursday (ISO 8601).
  const thursday = new Date((first + 3) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((first + 3 - Date.UTC(year, 0, 1) / DAY_MS) / 7) + 1;
  return `${year}-W${String(week).padStart(2, "0")}`;
}

/** 1 January 1970 was a Thursday. */
function daysSinceMonday(day: number): number {
  return (((day + 3) % 7) + 7) % 7;
}
