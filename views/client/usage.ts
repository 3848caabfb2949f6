import type { SeriesBy, SeriesRange, UsageSeries } from "../../src/usage/series-view.ts";
import { assertOk, messageOf } from "./answers.ts";
import {
  amountText,
  csvOf,
  estimateText,
  type Measure,
  missingText,
  type PeriodRow,
  periodsOf,
  rankOf,
  type Total,
  timesOf,
  totalsOf,
  valuesOf,
} from "./usage-data.ts";

/** What the plot draws. */
export interface Drawing {
  readonly measure: Measure;
  readonly range: SeriesRange;
  /** Seconds since 1970: the beginnings of the periods. */
  readonly times: readonly number[];
  /** Those that are shown, the largest first. */
  readonly series: readonly { readonly at: number; readonly name: string; readonly values: readonly number[] }[];
}

/** The page on usage: `x-data="usage"`. */
export function createUsage() {
  /** The number of the newest question, so that an answer that comes late is dropped. */
  let asked = 0;
  return {
    range: "24h" as SeriesRange,
    by: "key" as SeriesBy,
    measure: "tokens" as Measure,
    usage: null as UsageSeries | null,
    totals: [] as readonly Total[],
    /** The names of the series that the viewer has hidden. */
    hidden: [] as readonly string[],
    problem: "",
    isLoading: false,
    /** The period under the pointer, in words. */
    pointed: "",
    areTimesOpen: false,

    async load(): Promise<void> {
      asked += 1;
      const question = asked;
      const { range, by, measure } = this;
      this.isLoading = true;
      try {
        const query = new URLSearchParams({ range, by, rank: rankOf(measure) });
        const response = await assertOk(await fetch(`/api/usage/series?${query}`));
        const usage = (await response.json()) as UsageSeries; // the server's own
        if (question !== asked) return;
        // Alpine watches everything that is not frozen, and there may be ten thousand numbers.
        for (const each of usage.series) for (const list of Object.values(each)) Object.freeze(list);
        for (const each of usage.series) Object.freeze(each);
        Object.freeze(usage.series);
        this.usage = Object.freeze(usage);
        this.totals = Object.freeze(totalsOf(usage, measure));
        this.problem = "";
      } catch (error) {
        if (question === asked) this.problem = messageOf(error);
      } finally {
        if (question === asked) this.isLoading = false;
      }
    },
    setRange(range: SeriesRange): void {
      this.range = range;
      this.pointed = "";
      void this.load();
    },
    setBy(by: SeriesBy): void {
      this.by = by;
      this.hidden = [];
      this.pointed = "";
      void this.load();
    },
    setMeasure(): void {
      this.pointed = "";
      void this.load();
    },
    pressed(is: boolean): "true" | "false" {
      return is ? "true" : "false";
    },
    isShown(total: Total): boolean {
      return !this.hidden.includes(total.key);
    },
    toggle(total: Total): void {
      const { key } = total;
      this.hidden = this.hidden.includes(key) ? this.hidden.filter((each) => each !== key) : [...this.hidden, key];
    },
    colorOf(total: Total): string {
      return total.key === "" ? "other" : `series-${total.at + 1}`;
    },
    isEmpty(): boolean {
      return this.usage !== null && this.totals.every(({ requests }) => requests === 0);
    },
    amount(value: number): string {
      return amountText(this.measure, value);
    },
    sumText(): string {
      const shown = this.totals.filter((total) => this.isShown(total));
      if (this.usage === null) return "";
      const figures = shown.map(({ at }) => this.usage?.series[at]).flatMap((each) => (each ? [each] : []));
      const sum = figures.flatMap((each) => valuesOf(each, this.measure)).reduce((all, value) => all + value, 0);
      return `${this.amount(sum)}${UNITS[this.measure]}`;
    },
    estimateText(): string {
      return this.usage === null || rankOf(this.measure) !== "tokens" ? "" : estimateText(this.usage);
    },
    missingText(): string {
      return this.usage === null ? "" : missingText(this.usage);
    },
    drawing(): Drawing | null {
      const { usage, measure, range, totals } = this;
      if (usage === null) return null;
      const shown = totals.filter((total) => this.isShown(total));
      return {
        measure,
        range,
        times: timesOf(usage),
        series: shown.flatMap(({ at, name }) => {
          const series = usage.series[at];
          return series ? [{ at: series.id === null ? -1 : at, name, values: valuesOf(series, measure) }] : [];
        }),
      };
    },
    periods(): readonly PeriodRow[] {
      const drawing = this.areTimesOpen ? this.drawing() : null;
      if (drawing === null) return [];
      const lists = drawing.series.map(({ values }) => values);
      return periodsOf(drawing.times, lists, (seconds) => periodText(seconds, this.range));
    },
    shownTotals(): readonly Total[] {
      return this.totals.filter((total) => this.isShown(total));
    },
    plotLabel(): string {
      const what = MEASURES[this.measure];
      return `${what} by ${this.by} over ${RANGES[this.range]}. The tables below have the same figures.`;
    },
    /** Names the period under the pointer, with its largest values. */
    point(place: number | null): void {
      const drawing = place === null ? null : this.drawing();
      const seconds = place === null ? undefined : drawing?.times[place];
      if (place === null || drawing === null || seconds === undefined) {
        this.pointed = "";
        return;
      }
      const values = drawing.series.map(({ name, values: list }) => ({ name, value: list[place] ?? 0 }));
      const sum = values.reduce((all, { value }) => all + value, 0);
      const named = values.filter(({ value }) => value > 0).map(({ name, value }) => `${name} ${this.amount(value)}`);
      const parts = [periodText(seconds, this.range), `${this.amount(sum)} in all`, ...named];
      this.pointed = parts.join(" · ");
    },
    download(): void {
      const { usage, totals } = this;
      if (usage === null) return;
      const shown = new Set(totals.filter((total) => this.isShown(total)).map(({ at }) => at));
      const csv = csvOf(usage, (at) => shown.has(at));
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
      link.download = `usage-${usage.range}-by-${usage.by}.csv`;
      link.click();
      URL.revokeObjectURL(link.href);
    },
  };
}

const MEASURES: Readonly<Record<Measure, string>> = {
  tokens: "Tokens",
  input: "Input tokens",
  cached: "Cached input tokens",
  output: "Output tokens",
  requests: "Requests",
  audio: "Audio",
};
const UNITS: Readonly<Record<Measure, string>> = {
  tokens: " tokens",
  input: " input tokens",
  cached: " cached tokens",
  output: " output tokens",
  requests: " requests",
  audio: " of audio",
};
const RANGES: Readonly<Record<SeriesRange, string>> = {
  "24h": "24 hours",
  "30d": "30 days",
  "12mo": "12 months",
};

/** Names a period by its beginning, in the viewer's zone. Days are those of UTC. */
export function periodText(seconds: number, range: SeriesRange): string {
  const at = new Date(seconds * 1000);
  if (range === "12mo") return at.toLocaleDateString([], { dateStyle: "medium", timeZone: "UTC" });
  return at.toLocaleString([], {
    weekday: "short",
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
}
