import type { Series, SeriesBy, SeriesFigure, SeriesRange, SeriesRank, UsageSeries } from "./series-view.ts";
import type { Group, UsageGroups } from "./usage-groups.ts";
import { OTHERS, type UsageQuery } from "./usage-query.ts";
import { periodOf, STEP_MS, type Step } from "./usage-records.ts";

/** A question for a plot of usage. */
export interface SeriesQuery {
  readonly range: SeriesRange;
  readonly by: SeriesBy;
  readonly rank: SeriesRank;
  /** How many have a series of their own. */
  readonly top: number;
}

export interface SeriesParts {
  readonly now: number;
  /** Reads usage, as `AllUsage.read` does. */
  readonly read: (query: UsageQuery) => Promise<{
    readonly groups: Pick<UsageGroups, "sorted">;
    readonly missing: readonly string[];
  }>;
  readonly nameOfKey: (key: string) => string | undefined;
  readonly tenantOfKey: (key: string) => string;
}

interface Scale {
  readonly step: Step;
  readonly periodMs: number;
  readonly periods: number;
  /** A coarser step, whose rows are enough to tell who has used most. */
  readonly rankStep: Step;
}

const { minute: MINUTE, hour: HOUR, day: DAY } = STEP_MS;

/** The periods of each range: few enough to be drawn, and from the finest sums that are kept for that long. */
const SCALES: Readonly<Record<SeriesRange, Scale>> = {
  "24h": { step: "minute", periodMs: 10 * MINUTE, periods: 144, rankStep: "hour" },
  "30d": { step: "hour", periodMs: 4 * HOUR, periods: 180, rankStep: "day" },
  "12mo": { step: "day", periodMs: DAY, periods: 365, rankStep: "day" },
};

/**
 * Reads usage as series for a plot. It reads twice: first who has used most, then the periods of these alone, so that ten
 * thousand keys need no more memory than ten.
 */
export async function readSeries(query: SeriesQuery, parts: SeriesParts): Promise<UsageSeries> {
  const { range, by } = query;
  const { now, read, tenantOfKey } = parts;
  const { step, periodMs, periods, rankStep } = SCALES[range];
  const from = now - (now % periodMs) - (periods - 1) * periodMs;
  const dimension = by === "model" ? "model" : "key";
  // The period that begins at this moment is included.
  const grouped = { to: now + 1, by: [dimension] } as const;
  const partOf = by === "tenant" ? tenantOfKey : (value: string): string => value;

  const totals = new Map<string, number>();
  const members = new Map<string, string[]>();
  const rankFrom = periodOf(from, rankStep);
  // One period that is longer than the whole range: a day is always part of the year 1970 to 2255.
  const all = await read({ ...grouped, from: rankFrom, step: rankStep, periodMs: WHOLE_MS });
  for (const group of all.groups.sorted()) {
    const value = group[dimension] ?? "";
    const part = partOf(value);
    totals.set(part, (totals.get(part) ?? 0) + rankOf(group, query.rank));
    const known = members.get(part);
    if (known) known.push(value);
    else members.set(part, [value]);
  }
  const ranked = [...totals].sort(([a, used], [b, otherUsed]) => otherUsed - used || (a < b ? -1 : 1));
  const top = ranked.slice(0, query.top).map(([part]) => part);

  const labels = top.map((part) => [part, members.get(part) ?? []] as const);
  const { groups, missing } = await read({ ...grouped, from, step, periodMs, labels });
  const sums = new Map<string, Sums>([...top, OTHERS].map((part) => [part, emptySums(periods)]));
  for (const group of groups.sorted()) {
    const sum = sums.get(group[dimension] ?? "") ?? sums.get(OTHERS);
    if (sum) addTo(sum, group, Math.round((group.at - from) / periodMs));
  }
  const named = top.map((part): Series => {
    const name = by === "key" ? parts.nameOfKey(part) : undefined;
    return { id: part, name: name ?? part, ...(sums.get(part) ?? emptySums(periods)) };
  });
  const others = ranked.length - top.length;
  const rest = sums.get(OTHERS);
  return {
    range,
    by,
    from: new Date(from).toISOString(),
    to: new Date(now).toISOString(),
    period_s: periodMs / 1000,
    series: others > 0 && rest ? [...named, { id: null, name: OTHERS, ...rest }] : named,
    others,
    missing_servers: [...new Set([...all.missing, ...missing])],
  };
}

/** Longer than all time that a server sees. */
const WHOLE_MS = 9e12;

type Sums = Record<SeriesFigure, number[]>;

function emptySums(periods: number): Sums {
  const zeros = (): number[] => new Array<number>(periods).fill(0);
  return {
    requests: zeros(),
    failures: zeros(),
    input_tokens: zeros(),
    cached_tokens: zeros(),
    output_tokens: zeros(),
    audio_seconds: zeros(),
    estimated: zeros(),
  };
}

function addTo(sums: Sums, group: Group, at: number): void {
  const add = (figure: SeriesFigure, amount: number): void => {
    const list = sums[figure];
    if (at in list) list[at] = (list[at] ?? 0) + amount;
  };
  add("requests", group.requests);
  add("failures", group.failures);
  add("input_tokens", group.input);
  add("cached_tokens", group.cached);
  add("output_tokens", group.output);
  add("audio_seconds", group.audioMs / 1000);
  add("estimated", group.estimated);
}

function rankOf({ requests, input, output, audioMs }: Group, rank: SeriesRank): number {
  if (rank === "requests") return requests;
  return rank === "tokens" ? input + output : audioMs;
}
