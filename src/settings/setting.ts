import type * as v from "valibot";

/** A value as somebody wrote it, before it means anything. Only a YAML list is written as several texts. */
export type Written = string | readonly string[];

/** What a setting takes: how its text becomes a value, and how that is told to people. */
export interface Kind<T> {
  readonly schema: v.GenericSchema<unknown, T>;
  /** Stands for the value in `--help`: `<duration>`. */
  readonly placeholder: string;
  /** Ends the sentence "it takes …". */
  readonly accepts: string;
  /** Examples that follow `accepts` when a value is wrong. */
  readonly hint?: string;
  /** A number without quotes is fine in YAML. Not so for text: YAML turns a key written `0123` into 123. */
  readonly isNumeric?: boolean;
  /** A repeated flag adds to the value instead of replacing it. */
  readonly isList?: boolean;
  /** The flag alone means `true`. */
  readonly isSwitch?: boolean;
}

/** One setting. Its key in the code, its variable, flag and YAML key all name the same thing. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  readonly variable: string;
  /** A variable of the hosting platform that holds the default. */
  readonly platformVariable: string | undefined;
  /** Without the leading dashes. */
  readonly flag: string;
  readonly yamlKey: string;
  /** One line: what it decides. */
  readonly help: string;
  /** Never shown, wherever it came from and whatever is wrong with it. */
  readonly isSecret: boolean;
  readonly fallback: Fallback<T>;
  /** Where the setting stands in the reference, for one that another part of the program brings. */
  readonly place?: Place;
}

/** Beside which setting of the program, by its variable. */
export type Place = { readonly after: string } | { readonly before: string };

/** What holds when nobody wrote anything: a text like any other, or a value that `says` describes. */
export type Fallback<T> =
  | { readonly written: string; readonly says: string }
  | { readonly written?: undefined; readonly absent: T; readonly says: string };

export type Table = Readonly<Record<string, Setting<unknown>>>;

/** The values of a table, by its keys. */
export type Values<S extends Table> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

interface Naming {
  readonly variable: string;
  readonly platformVariable?: string;
  /** Without it: the variable in kebab-case. */
  readonly flag?: string;
  readonly help: string;
  readonly isSecret?: boolean;
  readonly place?: Place;
}

/** A setting whose default is written like any other value of it. */
export function setting<T>(kind: Kind<T>, naming: Naming & { readonly default: string }): Setting<T> {
  return { ...toNames(naming), kind, fallback: { written: naming.default, says: naming.default } };
}

/** A setting that is `absent` until somebody gives it; `says` describes that, "not set" unless told otherwise. */
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
    ...(naming.place && { place: naming.place }),
  };
}
