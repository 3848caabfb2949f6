import type * as v from "valibot";

/** A value as it was written, before it is read. Only a YAML list consists of several texts. */
export type Written = string | readonly string[];

/** A kind of value: how text becomes a value, and how messages describe it. */
export interface Kind<T> {
  readonly schema: v.GenericSchema<unknown, T>;
  /** Stands for the value in `--help`: `<duration>`. */
  readonly placeholder: string;
  /** Completes the sentence "it takes …". */
  readonly accepts: string;
  /** Examples that follow `accepts` when a value is wrong. */
  readonly hint?: string;
  /** Whether a YAML number needs no quotes. Text does: YAML turns a key written `0123` into 123. */
  readonly isNumeric?: boolean;
  /** Whether a repeated flag adds to the value instead of replacing it. */
  readonly isList?: boolean;
  /** Returns what the writer of a valid value should know; undefined for nothing. */
  readonly remark?: (written: Written) => string | undefined;
  /** Whether the flag alone means `true`. */
  readonly isSwitch?: boolean;
}

/** One setting. Its key in the code, its variable, its flag and its YAML key are names for the same value. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  readonly variable: string;
  /** A variable of the hosting platform, or of another program, that holds the default. */
  readonly platformVariable: string | undefined;
  /** Without the leading dashes. */
  readonly flag: string;
  readonly yamlKey: string;
  /** One line that says what the setting decides. */
  readonly help: string;
  /** Whether the value is never shown, not even in an error message. */
  readonly isSecret: boolean;
  readonly fallback: Fallback<T>;
  /** The variable of the setting without which this one has no effect. */
  readonly needs?: string;
  /** Where the setting stands in the reference, for one that another part of the program brings. */
  readonly place?: Place;
}

/** The setting of the program, by its variable, beside which another one stands. */
export type Place = { readonly after: string } | { readonly before: string };

/** The default: a text like any written one, or a value that `says` describes. */
export type Fallback<T> =
  | { readonly written: string; readonly says: string }
  | { readonly written?: undefined; readonly absent: T; readonly says: string };

export type Table = Readonly<Record<string, Setting<unknown>>>;

/** The values of a table's settings, by their keys. */
export type Values<S extends Table> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

interface Naming {
  readonly variable: string;
  readonly platformVariable?: string;
  /** The variable in kebab-case unless given. */
  readonly flag?: string;
  readonly help: string;
  readonly isSecret?: boolean;
  readonly needs?: string;
  readonly place?: Place;
}

/** Defines a setting whose default is written in the same form as any other value. */
export function setting<T>(kind: Kind<T>, naming: Naming & { readonly default: string }): Setting<T> {
  return { ...toNames(naming), kind, fallback: { written: naming.default, says: naming.default } };
}

/** Defines a setting that is `absent` until it is given. `says` describes that state: "not set" unless given. */
export function unset<T, U>(
  kind: Kind<T>,
  naming: Naming & { readonly absent: U; readonly says?: string },
): Setting<T | U> {
  return { ...toNames(naming), kind, fallback: { absent: naming.absent, says: naming.says ?? "not set" } };
}

function toNames(naming: Naming): Omit<Setting<unknown>, "kind" | "fallback"> {
  const lower = naming.variable.toLowerCase();
  return {
    variable: naming.variable,
    platformVariable: naming.platformVariable,
    flag: naming.flag ?? lower.replaceAll("_", "-"),
    yamlKey: lower,
    help: naming.help,
    isSecret: naming.isSecret ?? false,
    ...(naming.needs && { needs: naming.needs }),
    ...(naming.place && { place: naming.place }),
  };
}
