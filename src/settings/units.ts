const DURATION =
  /^(?:(\d+(?:\.\d+)?)d)?\s?(?:(\d+(?:\.\d+)?)h)?\s?(?:(\d+(?:\.\d+)?)m(?!s))?\s?(?:(\d+(?:\.\d+)?)s)?\s?(?:(\d+(?:\.\d+)?)ms)?$/i;
const DURATION_UNITS_MS = [86_400_000, 3_600_000, 60_000, 1000, 1] as const;
const SIZE = /^(\d+(?:\.\d+)?)\s?([kmgt]?i?b?)$/i;
const BARE_NUMBER = /^\d+(?:\.\d+)?$/;

/**
 * Returns the milliseconds of a written duration: `250ms`, `90s`, `5m`, `1h30m`, `2d`, largest unit first. A bare number is seconds.
 * Returns undefined for anything else. Rounds to whole milliseconds.
 */
export function parseDuration(text: string): number | undefined {
  if (BARE_NUMBER.test(text)) return toSafe(Number(text) * 1000);
  const match = DURATION.exec(text);
  if (!match || text.trim() === "") return undefined;
  const ms = DURATION_UNITS_MS.reduce((sum, unit, at) => sum + Number(match[at + 1] ?? 0) * unit, 0);
  return toSafe(ms);
}

/**
 * Returns the bytes of a written size. `KiB`, `MiB`, `GiB`, `TiB`, also without `B` or `iB`, count in 1024s, `kB`, `MB`,
 * `GB`, `TB` in 1000s, in any case; a bare number is bytes. Undefined for anything else; rounded to whole bytes.
 */
export function parseSize(text: string): number | undefined {
  const match = SIZE.exec(text);
  const unit = match?.[2]?.toLowerCase() ?? "";
  if (!match || unit.startsWith("i")) return undefined;
  const power = "kmgt".indexOf(unit.charAt(0)) + 1;
  const isDecimal = unit.length === 2 && unit.endsWith("b");
  return toSafe(Number(match[1]) * (unit === "" || unit === "b" ? 1 : (isDecimal ? 1000 : 1024) ** power));
}

function toSafe(value: number): number | undefined {
  const whole = Math.round(value);
  return Number.isSafeInteger(whole) ? whole : undefined;
}
