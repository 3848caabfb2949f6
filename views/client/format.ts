// Numbers, sizes and times for people. Pure, so that tests need no browser.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A number with about three digits: `950`, `12.3 k`, `4.5 M`. */
export function count(value: number): string {
  const size = Math.abs(value);
  if (size < 10_000) return String(Math.round(value));
  if (size < 1_000_000) return `${trimmed(value / 1000)} k`;
  if (size < 1_000_000_000) return `${trimmed(value / 1_000_000)} M`;
  return `${trimmed(value / 1_000_000_000)} G`;
}

/** A number per second, with one decimal where it is small. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value < 100 ? trimmed(value) : count(value);
}

/** Bytes in powers of 1024. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  let [size, unit] = [value, 0];
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(size) : trimmed(size)} ${UNITS[unit]}`;
}

/** A duration in its two largest units. `value` is in milliseconds. */
export function duration(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 10_000) return `${trimmed(value / 1000)} s`;
  const seconds = Math.round(value / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return pair(minutes, "min", seconds % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return pair(hours, "h", minutes % 60, "min");
  return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** The time since `then`, which is RFC 3339; `now` is in milliseconds since 1970. Future times count as now. */
export function age(then: string, now: number): string {
  return duration(Math.max(0, Math.round((now - Date.parse(then)) / 1000) * 1000));
}

/** The time until `then`, which is RFC 3339, in words; `now` is in milliseconds since 1970. */
export function until(then: string, now: number): string {
  const left = Date.parse(then) - now;
  return left <= 0 ? "the next job decides" : `for ${duration(Math.ceil(left / 1000) * 1000)}`;
}

/** The time until `then`, which is RFC 3339: `in 5 h`; `now` is in milliseconds since 1970. Past times are ago. */
export function ahead(then: string, now: number): string {
  const left = Math.round((Date.parse(then) - now) / 1000) * 1000;
  if (left <= 0) return `${duration(-left)} ago`;
  // Minutes do not matter to what is days away, nor hours to what is weeks away.
  return `in ${left >= 14 * DAY_MS ? `${Math.round(left / DAY_MS)} d` : duration(left)}`;
}

/** The time until `then` in its largest unit, rounded down: `in 5 h`. */
export function aheadRoughly(then: string, now: number): string {
  return ahead(then, now).replace(/^(in \S+ \S+) .*$/, "$1");
}

const DAY_MS = 86_400_000;

/** Whether a time, which is RFC 3339, is less than a week away. */
export function isSoon(then: string, now: number): boolean {
  return Date.parse(then) - now < 7 * DAY_MS;
}

/** A time, which is RFC 3339, in the viewer's zone. */
export function time(then: string): string {
  return new Date(then).toLocaleString([], { dateStyle: "medium", timeStyle: "short", hourCycle: "h23" });
}

/** The time of day in the viewer's zone and on a clock of 24 hours. `at` is in milliseconds since 1970. */
export function clock(at: number, hasSeconds = false): string {
  return new Date(at).toLocaleTimeString([], {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...(hasSeconds ? { second: "2-digit" as const } : {}),
  });
}

/** A measured speed: input and output per second of one request. */
export function speeds(speed: {
  readonly prefill_tokens_per_s: number | null;
  readonly decode_tokens_per_s: number | null;
}): string {
  const { prefill_tokens_per_s: input, decode_tokens_per_s: output } = speed;
  const parts = [input === null ? [] : `${rate(input)} in/s`, output === null ? [] : `${rate(output)} out/s`];
  return parts.flat().join(", ") || "–";
}

/** The models of a list of facts about models. */
export function models(facts: readonly { readonly model: string }[]): string {
  return facts.map(({ model }) => model).join(", ");
}

/** A worker's operating system with its version, as the worker has named them; else the name of its machine. */
export function system(host: Readonly<Record<string, string | number | null>>): string {
  const { os_name: name, os_version: version, hostname } = host;
  if (name) return version ? `${name} ${version}` : String(name);
  return hostname ? String(hostname) : "–";
}

/** A part of a whole in whole per cent; 0 where the whole is 0. */
export function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.min(100, Math.round((part / whole) * 100));
}

/** A part of the whole, from 0 to 1, in per cent; a small one is not shown as nothing. */
export function share(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value > 0 && value < 0.01 ? "<1 %" : `${Math.round(value * 100)} %`;
}

/** `1 worker`, `2 workers`. */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/** `61 workers`, or `12 of 61 workers` where some are left out. */
export function countOf(part: number, whole: number, one: string, many = `${one}s`): string {
  return part === whole ? plural(whole, one, many) : `${count(part)} of ${plural(whole, one, many)}`;
}

/** The time since `then` in its largest unit: `3 min`. `then` is RFC 3339, or in milliseconds since 1970. */
export function ageRoughly(then: string | number, now: number): string {
  const at = typeof then === "number" ? then : Date.parse(then);
  const text = duration(Math.max(0, Math.round((now - at) / 1000) * 1000));
  return text === "0 ms" ? "now" : text.replace(/^(\S+ \S+) .*$/, "$1");
}

/** The time since `then` for a sentence: `3 min ago`, `just now`. */
export function ago(then: string | number, now: number): string {
  const text = ageRoughly(then, now);
  return text === "now" ? "just now" : `${text} ago`;
}

/** A number of tokens as people name contexts: `128 K`. */
export function context(tokens: number | null | undefined): string {
  if (!tokens) return "–";
  if (tokens >= 1024 && tokens % 1024 === 0) return `${tokens / 1024} K`;
  return count(tokens);
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function trimmed(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}
