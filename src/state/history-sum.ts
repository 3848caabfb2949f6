import { sumOfSamples } from "./cluster-state.ts";
import { CAPACITY, INTERVAL_MS, type Sample } from "./history.ts";

/** The columns that count events within the second of a sample. The others are measured at its end. */
const EVENTS = ["requests", "failures", "tokens", "prompt_tokens", "cached_tokens", "bytes"] as const;

/** How many seconds a server without a beat counts with its last figures. A beat may come late, or be lost. */
const MAX_GAP = 3;

/**
 * Adds up the histories of several servers, second by second. The servers' seconds begin at different times, and beats are
 * not exactly a second apart. A second with two samples of a server has the events of both. A second without one has no
 * events, and the figures of the sample before. The last seconds, for which not all beats have arrived, are left out.
 */
export function sumOfHistories(histories: readonly (readonly Sample[])[]): readonly Sample[] {
  const servers = histories.filter((samples) => samples.length > 0).map(bySecond);
  const newest = Math.max(...servers.map(({ to }) => to));
  const last = Math.min(newest, ...servers.map(({ to }) => to).filter((to) => newest - to <= MAX_GAP));
  // The history of a server that died long ago ends long ago.
  const first = Math.max(Math.min(...servers.map(({ from }) => from)), last - CAPACITY + 1);
  const sums: Sample[] = [];
  for (let second = first; second <= last; second += 1) {
    const sum = sumOfSamples(servers.flatMap((server) => sampleIn(server, second) ?? []));
    if (sum) sums.push({ ...sum, at: second * INTERVAL_MS });
  }
  return sums;
}

interface Server {
  readonly samples: ReadonlyMap<number, Sample>;
  readonly from: number;
  readonly to: number;
}

function bySecond(samples: readonly Sample[]): Server {
  const seconds = new Map<number, Sample>();
  for (const sample of samples) {
    const second = Math.round(sample.at / INTERVAL_MS);
    const before = seconds.get(second);
    seconds.set(second, before ? withEventsOf(sample, before) : sample);
  }
  return { samples: seconds, from: Math.min(...seconds.keys()), to: Math.max(...seconds.keys()) };
}

function withEventsOf(sample: Sample, before: Sample): Sample {
  const sums = EVENTS.map((event) => [event, sample[event] + before[event]] as const);
  return { ...sample, ...Object.fromEntries(sums) };
}

/** Returns what a server had in a second; undefined while it was not there. */
function sampleIn({ samples }: Server, second: number): Sample | undefined {
  const own = samples.get(second);
  if (own) return own;
  for (let back = 1; back <= MAX_GAP; back += 1) {
    const before = samples.get(second - back);
    if (before) return { ...before, requests: 0, failures: 0, tokens: 0, prompt_tokens: 0, cached_tokens: 0, bytes: 0 };
  }
  return undefined;
}
