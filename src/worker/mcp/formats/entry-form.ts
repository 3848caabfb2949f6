import { isRecord } from "../../../json/parse.ts";

/** The entry of one MCP server. Readers turn those of other programs into the form of `mcpServers`. */
export type WrittenEntry = Readonly<Record<string, unknown>>;

/** An entry that cannot be used, and what to do about it. The sentence follows the server's name and repeats no value. */
export class UnusableEntry {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

/** Some servers by their names. */
export type NamedEntries = readonly (readonly [name: string, entry: unknown])[];

/** Returns the entry with fields under other names. A field that is absent stays absent, and one that exists is kept. */
export function renamed(entry: WrittenEntry, names: Readonly<Record<string, string>>): WrittenEntry {
  return Object.fromEntries(
    Object.entries(entry).map(([name, value]) => {
      const own = Object.hasOwn(names, name) ? names[name] : undefined;
      return [own === undefined || own in entry ? name : own, value];
    }),
  );
}

/** Returns the entry without some fields. */
export function without(entry: WrittenEntry, names: readonly string[]): WrittenEntry {
  return Object.fromEntries(Object.entries(entry).filter(([name]) => !names.includes(name)));
}

/** Says in the words of `mcpServers` whether a server is switched off, where a program says whether it is switched on. */
export function withSwitch(entry: WrittenEntry): WrittenEntry {
  const { enabled } = entry;
  if (typeof enabled !== "boolean") return entry;
  // A server that either field switches off stays off.
  return { ...without(entry, ["enabled"]), disabled: enabled ? (entry["disabled"] ?? false) : true };
}

/** Splits a command that is one list of words, as some programs write it. */
export function withArgs(entry: WrittenEntry): WrittenEntry {
  const { command, args } = entry;
  if (!Array.isArray(command)) return entry;
  const [program, ...more] = command;
  return { ...entry, command: program, args: [...more, ...(Array.isArray(args) ? args : [])] };
}

/** Applies a change to each text of an entry, also to those in its lists and maps. */
export function withTexts(entry: WrittenEntry, change: (text: string) => string): WrittenEntry {
  const changed = (value: unknown): unknown => {
    if (typeof value === "string") return change(value);
    if (Array.isArray(value)) return value.map((each: unknown) => (typeof each === "string" ? change(each) : each));
    if (!isRecord(value)) return value;
    const members = Object.entries(value).map(([name, member]) => [
      name,
      typeof member === "string" ? change(member) : member,
    ]);
    return Object.fromEntries(members);
  };
  return Object.fromEntries(Object.entries(entry).map(([name, value]) => [name, changed(value)]));
}

/** Returns a reference to a variable of the environment. */
export function variable(name: string): string {
  return `\${${name}}`;
}
