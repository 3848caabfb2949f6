import { nearest } from "../settings/nearest.ts";

/** A program of this project that `moorage <command>` starts. */
export interface Command {
  /** One line for the list of commands. */
  readonly summary: string;
  /** The heading under which the list has it; "Programs" unless given. */
  readonly group?: string;
  /** Runs the program in this process. `argv` begins after the command. Each program loads only when it is started. */
  run(argv: readonly string[]): unknown;
}

export type Commands = Readonly<Record<string, Command>>;

/** The parsed command line of `moorage`: run a command, print a text, or report a fault. */
export type Request =
  | { readonly kind: "run"; readonly command: Command; readonly argv: readonly string[] }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "fault"; readonly text: string };

/**
 * Finds the command that `argv` names. `argv` begins after the program's name. Words behind the command are passed on.
 * `launcher` is what one types in front of the command.
 */
export function parseCommand(
  argv: readonly string[],
  commands: Commands,
  version: string,
  launcher = "moorage",
): Request {
  const [word, ...rest] = argv;
  if (word === undefined)
    return { kind: "fault", text: `No command was given.\n\n${helpText(commands, version, launcher)}` };
  if (word === "--version" || word === "version") return { kind: "print", text: version };
  if (word === "--help" || word === "-h" || word === "help") return help(rest[0], commands, version, launcher);
  const command = findCommand(word, commands);
  if (command) return { kind: "run", command, argv: rest };
  return { kind: "fault", text: unknownText(word, commands, launcher) };
}

/** `help worker` prints the help of that program. */
function help(word: string | undefined, commands: Commands, version: string, launcher: string): Request {
  if (word === undefined) return { kind: "print", text: helpText(commands, version, launcher) };
  const command = findCommand(word, commands);
  if (command) return { kind: "run", command, argv: ["--help"] };
  return { kind: "fault", text: unknownText(word, commands, launcher) };
}

/** Returns the command that a word names; undefined for any other word. */
export function findCommand(word: string, commands: Commands): Command | undefined {
  return Object.hasOwn(commands, word) ? commands[word] : undefined;
}

/** An unknown word is not repeated: it may be part of a key that was pasted into the wrong place. */
function unknownText(word: string, commands: Commands, launcher: string): string {
  const near = nearest(word, Object.keys(commands));
  const hint = near ? ` Did you mean ${near}?` : "";
  return `Unknown command.${hint} Commands: ${Object.keys(commands).join(", ")}. Run '${launcher} help' for details.`;
}

function helpText(commands: Commands, version: string, launcher: string): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const line = (name: string): string => `  ${name.padEnd(width)}  ${commands[name]?.summary ?? ""}`;
  const groups = Map.groupBy(Object.keys(commands), (name) => commands[name]?.group ?? "Programs");
  return [
    `moorage ${version}: private models and tools behind one public server.`,
    `Usage: ${launcher} <command> [flags]`,
    ...Array.from(groups, ([title, names]) => `${title}:\n${names.map(line).join("\n")}`),
    `Run '${launcher} <command> --help' for a command's settings.`,
  ].join("\n\n");
}
