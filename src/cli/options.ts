import { parseArgs } from "node:util";
import { nearest } from "../settings/nearest.ts";

/** A flag of a command. */
export interface Flag {
  /** The placeholder of its value in the help; absent for a switch. */
  readonly value?: string;
  /** One line for the help. */
  readonly help: string;
}

export type Flags = Readonly<Record<string, Flag>>;

/** A command line that was read, or what is wrong with it. */
export type ReadOptions =
  | {
      readonly ok: true;
      /** The values of flags, in the order in which they were given; a switch has the value `true`. */
      readonly values: ReadonlyMap<string, readonly string[]>;
      readonly words: readonly string[];
    }
  | { readonly ok: false; readonly fault: string };

/**
 * Reads the words and flags of a command. Faults name places and known flags only, because a stray word may be a key that
 * was pasted into the wrong place.
 */
export function readOptions(argv: readonly string[], flags: Flags): ReadOptions {
  const isSwitch = (name: string): boolean => flags[name]?.value === undefined;
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const name of Object.keys(flags)) options[name] = { type: isSwitch(name) ? "boolean" : "string" };
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true, allowPositionals: true });
  const values = new Map<string, string[]>();
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const { name, index, value } = token;
    if (!Object.hasOwn(flags, name)) return { ok: false, fault: unknown(name, index + 1, flags) };
    if (isSwitch(name) && value !== undefined) return { ok: false, fault: `--${name} takes no value.` };
    const isMissing = value === undefined || value.trim() === "" || (!token.inlineValue && value.startsWith("--"));
    if (!isSwitch(name) && isMissing)
      return { ok: false, fault: `--${name} needs a value: ${flags[name]?.help ?? ""}` };
    values.set(name, [...(values.get(name) ?? []), value?.trim() ?? "true"]);
  }
  return { ok: true, values, words };
}

function unknown(name: string, place: number, flags: Flags): string {
  const near = nearest(name, Object.keys(flags));
  if (near !== undefined) return `Unknown flag. Did you mean --${near}?`;
  const isNameable = /^[a-z][a-z-]{0,40}$/.test(name);
  return `Unknown flag ${isNameable ? `--${name}` : `at place ${place}`}. --help lists the flags.`;
}

/** Formats the flags for a help text, one on each line. */
export function flagsText(flags: Flags): string {
  const heads = Object.entries(flags).map(([name, { value }]) => `--${name}${value === undefined ? "" : ` ${value}`}`);
  const width = Math.max(...heads.map((head) => head.length));
  return Object.values(flags)
    .map(({ help }, index) => `  ${(heads[index] ?? "").padEnd(width)}  ${help}`)
    .join("\n");
}
