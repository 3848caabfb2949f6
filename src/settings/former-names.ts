import type { Table } from "./setting.ts";

/** A setting of a program that this one follows, under its names there. */
export interface FormerSetting {
  /** Its environment variable. */
  readonly variable: string;
  /** Its flags without dashes; the variable in kebab-case unless given. */
  readonly flags?: readonly string[];
  /** Its keys in the YAML file, with dots between levels; the variable in lower case unless given. */
  readonly yamlKeys?: readonly string[];
  /** What to do instead. Follows a colon: "set QUEUE_SIZE". */
  readonly instead: string;
}

/** The settings of a former program that mean nothing to this one, or that have another name. */
export interface FormerNames {
  /** The name of that program. */
  readonly program: string;
  readonly settings: readonly FormerSetting[];
}

/** The value for a program that has no predecessor. */
export const NO_FORMER_NAMES: FormerNames = { program: "", settings: [] };

/** A valid setting that does not do what its writer may expect. */
export interface Remark {
  /** The name as it was written: a variable. */
  readonly name: string;
  readonly hint: string;
}

/** Returns a remark for each former variable that is set, unless this program reads it, too. */
export function remarksOnVariables(
  { program, settings }: FormerNames,
  table: Table,
  env: Readonly<Record<string, string | undefined>>,
): readonly Remark[] {
  const own = new Set(Object.values(table).flatMap(({ variable, platformVariable }) => [variable, platformVariable]));
  return settings
    .filter(({ variable }) => !own.has(variable) && env[variable]?.trim())
    .map(({ variable, instead }) => ({ name: variable, hint: `a setting of ${program}: ${instead}` }));
}

/** Returns "; it is a flag of …: …" for a former flag, without its dashes; else undefined. */
export function hintOnFlag({ program, settings }: FormerNames, flag: string): string | undefined {
  const former = settings.find((each) => flagsOf(each).includes(flag));
  return former && `; it is a flag of ${program}: ${former.instead}`;
}

/** Returns the same for a key of a YAML file. */
export function hintOnKey({ program, settings }: FormerNames, key: string): string | undefined {
  const former = settings.find((each) => keysOf(each).includes(key));
  return former && `; it is a key of ${program}: ${former.instead}`;
}

function flagsOf({ variable, flags }: FormerSetting): readonly string[] {
  return flags ?? [variable.toLowerCase().replaceAll("_", "-")];
}

function keysOf({ variable, yamlKeys }: FormerSetting): readonly string[] {
  return yamlKeys ?? [variable.toLowerCase()];
}
