import { isIP } from "node:net";
import * as v from "valibot";
import type { Kind, Written } from "./setting.ts";
import { parseDuration, parseSize } from "./units.ts";

/**
 * The general kinds of value. Blanks at both ends of a text are dropped. No schema has a message, so none can repeat a
 * secret.
 */

const text = v.pipe(v.string(), v.trim());

/** A schema for text that `parse` turns into a value; `parse` returns undefined for text that is not valid. */
export function parsed<T>(parse: (text: string) => T | undefined): v.GenericSchema<string, T> {
  return v.pipe(
    text,
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value);
      if (value !== undefined) return value;
      addIssue();
      return NEVER;
    }),
  );
}

export function integer(min: number, max: number): Kind<number> {
  const parse = (written: string) => (/^\d{1,15}$/.test(written) ? within(min, Number(written), max) : undefined);
  return {
    schema: parsed(parse),
    placeholder: "number",
    accepts: `a whole number from ${min} to ${max}`,
    isNumeric: true,
  };
}

/** A duration in milliseconds. The bounds are written as values are: `duration("1s", "24h")`. */
export function duration(min: string, max: string): Kind<number> {
  const [low, high] = [parseDuration(min) ?? Number.NaN, parseDuration(max) ?? Number.NaN];
  return {
    schema: parsed((written) => within(low, parseDuration(written), high)),
    placeholder: "duration",
    accepts: `a duration from ${min} to ${max}`,
    hint: "such as 250ms, 90s, 5m or 1h30m; a bare number is seconds",
    isNumeric: true,
  };
}

/** A size in bytes. The bounds are written as values are: `size("16KiB", "16MiB")`. */
export function size(min: string, max: string): Kind<number> {
  const [low, high] = [parseSize(min) ?? Number.NaN, parseSize(max) ?? Number.NaN];
  return {
    schema: parsed((written) => within(low, parseSize(written), high)),
    placeholder: "size",
    accepts: `a size from ${min} to ${max}`,
    hint: "such as 64KiB, 10MB or 2GiB; a bare number is bytes",
    isNumeric: true,
  };
}

/** A duration, or `-1` for as long as a timer can run: 24 days. */
export function durationOrAny(min: string, max: string): Kind<number> {
  const limited = duration(min, max);
  return {
    ...limited,
    schema: v.union([
      v.pipe(
        text,
        v.literal("-1"),
        v.transform(() => MAX_TIMER_MS),
      ),
      limited.schema,
    ]),
    accepts: `${limited.accepts}, or -1 for no limit`,
  };
}

/** The longest delay of a JavaScript timer; a longer one fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * One of these words, in upper or lower case. `synonyms` are further words for some of them, which the reference does not
 * list.
 */
export function word<const W extends string>(words: readonly W[], synonyms: Readonly<Record<string, W>> = {}): Kind<W> {
  const parse = (written: string) => {
    const lower = written.toLowerCase();
    return (
      words.find((candidate) => candidate === lower) ?? (Object.hasOwn(synonyms, lower) ? synonyms[lower] : undefined)
    );
  };
  return {
    schema: parsed(parse),
    placeholder: words.join("|"),
    accepts: orList(words),
  };
}

/** Writes words as a choice: `llm, asr or mcp`. */
export function orList(words: readonly string[]): string {
  return words.join(", ").replace(/, (?=[^,]*$)/, " or ");
}

/** Text of one line, as given. */
export function line(maxChars: number): Kind<string> {
  const parse = (written: string) => (isLine(written, maxChars) ? written : undefined);
  return { schema: parsed(parse), placeholder: "text", accepts: `one line of at most ${maxChars} characters` };
}

/** The path of a file or a folder. */
export const path: Kind<string> = { ...line(4096), placeholder: "path", accepts: "a path" };

/**
 * Matches a secret that is sent in a header: visible ASCII without blanks and commas, at most 4096 characters as in a
 * worker's registration.
 */
export const KEY = /^[\x21-\x2b\x2d-\x7e]{1,4096}$/;

export const secretKey: Kind<string> = {
  schema: parsed((written) => (KEY.test(written) ? written : undefined)),
  placeholder: "key",
  accepts: "one key of visible ASCII characters without blanks or commas",
};

/** An address or name to listen on. The brackets of an IPv6 address are removed. */
export const host: Kind<string> = {
  schema: parsed(parseHost),
  placeholder: "host",
  accepts: "an IP address or a host name, without a port",
};

/**
 * A list as comma separated text or as a YAML list. Blanks, empty items and repetitions are dropped. Only an empty YAML list
 * means no items: a text of commas alone is refused, so that `API_KEY=$A,$B` with both empty does not open the server.
 */
export function list<T>(
  item: v.GenericSchema<string, T>,
  describe: { readonly accepts: string; readonly placeholder: string; readonly hint?: string },
): Kind<readonly T[]> {
  return {
    schema: v.pipe(
      v.union([v.string(), v.array(v.string())]),
      v.rawTransform(({ dataset, addIssue, NEVER }) => {
        const items = typeof dataset.value === "string" ? dataset.value.split(",") : dataset.value;
        const kept = [...new Set(items.map((each) => each.trim()).filter((each) => each !== ""))];
        if (kept.length > 0 || items.length === 0) return kept;
        addIssue();
        return NEVER;
      }),
      v.array(item),
    ),
    ...describe,
    isList: true,
  };
}

/** A list that needs at least one item, in YAML too. */
export function atLeastOne<T>(kind: Kind<readonly T[]>): Kind<readonly T[]> {
  return { ...kind, schema: v.pipe(kind.schema, v.minLength(1)) };
}

/** A list for which the word `none` means no items, so that a variable can empty a default. */
export function listOrNone<T>(kind: Kind<readonly T[]>): Kind<readonly T[]> {
  const none = v.pipe(
    v.custom<Written>((written) => String(written).trim().toLowerCase() === "none"),
    v.transform((): readonly T[] => []),
  );
  return {
    ...kind,
    schema: v.lazy((written) => (v.is(none, written) ? none : kind.schema)),
    accepts: `${kind.accepts}, or none`,
  };
}

export function parseHost(written: string): string | undefined {
  const bare = /^\[(.*)\]$/.exec(written)?.[1];
  if (bare !== undefined) return isIP(bare) === 6 ? bare : undefined;
  if (isIP(written) !== 0) return written;
  // A text of digits and dots alone is a mistyped address, not a name.
  const isName = /^(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?$/.test(written) && !/^[\d.]+$/.test(written);
  return isName && written.length <= 253 ? written : undefined;
}

export function isLine(written: string, maxChars: number): boolean {
  return written !== "" && written.length <= maxChars && !/\p{Cc}/u.test(written);
}

function within(min: number, value: number | undefined, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}
