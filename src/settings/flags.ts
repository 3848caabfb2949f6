import { parseArgs } from "node:util";
import { type FormerNames, hintOnFlag, NO_FORMER_NAMES } from "./former-names.ts";
import type { Table, Written } from "./setting.ts";
import { type Given, type SourceReading, suggestion } from "./sources.ts";

/** Flags that ask for a text instead of a start. */
export const REQUESTS = {
  help: "Print this and exit.",
  version: "Print the version and exit.",
  "print-config": "Print the effective settings with their sources, secrets masked, and exit.",
} as const;

export type Request = keyof typeof REQUESTS;

/** An argument without dashes before it. */
export interface Positional {
  readonly text: string;
  /** The argument's place, from 1. Faults name it instead of the text, which may be a mistyped secret. */
  readonly place: number;
  /** Whether it follows an unknown flag, whose value it may be. */
  readonly isDoubtful: boolean;
}

export interface FlagReading extends SourceReading {
  readonly requests: ReadonlySet<Request>;
  readonly positionals: readonly Positional[];
}

/**
 * Reads `--flag value` and `--flag=value`. The last of a repeated flag holds, but a list's flags add up. A value that
 * begins with two dashes needs the `=` form, so that a forgotten value does not swallow the next flag. A switch alone is
 * `true`, and takes another value in the `=` form only.
 */
export function readFlags(table: Table, argv: readonly string[], former: FormerNames = NO_FORMER_NAMES): FlagReading {
  const keys = new Map(Object.entries(table).map(([key, setting]) => [setting.flag, key]));
  const given = new Map<string, Given>();
  const requests = new Set<Request>();
  const positionals: Positional[] = [];
  const faults: string[] = [];
  let unknownAt = -2;
  for (const token of tokenize(keys, table, argv)) {
    const place = token.index + 1;
    if (token.kind === "positional") {
      positionals.push({ text: token.value, place, isDoubtful: token.index === unknownAt + 1 });
    } else if (token.kind === "option") {
      const key = keys.get(token.name);
      const setting = key === undefined ? undefined : table[key];
      if (key !== undefined && setting) {
        const value = token.value === undefined && setting.kind.isSwitch ? "true" : token.value?.trim();
        const source = `flag --${setting.flag}`;
        // An empty value is not "unset": `--api-key=$KEY` with an empty KEY must not open the server.
        if (!value) faults.push(`${setting.yamlKey}: ${source} has no value; it takes ${setting.kind.accepts}`);
        else given.set(key, { written: setting.kind.isList ? append(given.get(key), value) : value, source });
      } else if (isRequest(token.name)) {
        if (token.value === undefined) requests.add(token.name);
        else faults.push(`${token.name}: flag --${token.name} takes no value`);
      } else if (token.index !== unknownAt) {
        // Several letters after one dash are one mistake, although parseArgs makes a token of each.
        unknownAt = token.index;
        faults.push(unknownFlag(argv[token.index] ?? "", place, table, former));
      }
    }
  }
  return { given, requests, positionals, faults };
}

function tokenize(keys: ReadonlyMap<string, string>, table: Table, argv: readonly string[]) {
  const isSwitch = (flag: string): boolean => table[keys.get(flag) ?? ""]?.kind.isSwitch === true;
  const withoutSwallowing = argv.map((argument, at) =>
    argument.startsWith("--") &&
    keys.has(argument.slice(2)) &&
    !isSwitch(argument.slice(2)) &&
    argv[at + 1]?.startsWith("--")
      ? `${argument}=`
      : argument,
  );
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {};
  for (const flag of keys.keys()) options[flag] = { type: isSwitch(flag) ? "boolean" : "string" };
  for (const request of Object.keys(REQUESTS)) options[request] = { type: "boolean" };
  options.help = { type: "boolean", short: "h" };
  return parseArgs({ args: withoutSwallowing, options, strict: false, tokens: true, allowPositionals: true }).tokens;
}

function isRequest(name: string): name is Request {
  return Object.hasOwn(REQUESTS, name);
}

function append(before: Given | undefined, value: string): Written {
  return before ? [before.written, value].flat().join(",") : value;
}

/** Names the flag only where its text looks like a flag: a key that begins with a dash must not be repeated. */
function unknownFlag(argument: string, place: number, table: Table, former: FormerNames): string {
  const name = argument.replace(/=.*$/s, "");
  const bare = name.replace(/^-+/, "");
  const mend = hintOnFlag(former, bare) ?? suggestion(bare, table, (near) => `--${near.flag}`);
  const isNameable = mend !== "" || /^--[a-z][a-z-]{0,40}$/.test(name);
  return `${isNameable ? name : `argument ${place}`}: unknown flag${mend}`;
}
