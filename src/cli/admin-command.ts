import { nearest } from "../settings/nearest.ts";
import { EXIT_CONFIG, type Sources } from "../settings/read-settings.ts";
import { launcherWords } from "../system/launcher.ts";
import { AdminClient } from "./admin-client.ts";
import { openTarget } from "./admin-target.ts";
import { CommandFault } from "./command-fault.ts";
import { type Flags, flagsText, readOptions } from "./options.ts";
import type { Streams } from "./standard-streams.ts";

/** The arguments of one call of a command. */
export interface AdminCall {
  readonly client: AdminClient;
  readonly words: readonly string[];
  readonly values: ReadonlyMap<string, readonly string[]>;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Returns the last value of a flag; undefined if it was not given. */
  flag(name: string): string | undefined;
}

/** A command for operators, or one of its actions. */
export interface AdminAction {
  /** What follows the name of the command: `show <key>`. */
  readonly usage: string;
  /** One sentence, or several. */
  readonly about: string;
  readonly flags: Flags;
  /** How many words may follow. */
  readonly words: { readonly min: number; readonly max: number };
  /** Whether the action may begin a store that does not exist yet. */
  readonly mayCreate?: boolean;
  run(call: AdminCall, streams: Streams): Promise<void>;
}

export interface AdminCommand {
  readonly name: string;
  readonly about: string;
  /** By the word that follows the command. A single one without a name is the command itself. */
  readonly actions: Readonly<Record<string, AdminAction>>;
}

const TARGET_FLAGS = {
  server: { value: "url", help: "URL of the running server (default: SERVER_URL). The key is read from ADMIN_KEY." },
  "data-dir": { value: "directory", help: "DATA_DIR of a server that is not running." },
  config: { value: "path", help: "The server's settings file, which says where the server and its DATA_DIR are." },
  json: { help: "Print JSON, for programs." },
} as const satisfies Flags;
const HELP = /^(?:--help|-h|help)$/;

/** Runs a command as a program. `sources.argv` begins after its name. Resolves to the exit code. */
export async function runAdmin(
  command: AdminCommand,
  { argv, ...sources }: Sources,
  streams: Streams,
): Promise<number> {
  const launcher = launcherWords(sources.env);
  const [word = "", ...others] = argv;
  const own = command.actions[""];
  const action = own ?? (Object.hasOwn(command.actions, word) ? command.actions[word] : undefined);
  const rest = own ? argv : others;
  if (argv.some((each) => HELP.test(each))) {
    streams.out(action ? actionHelp(command, action, launcher) : commandHelp(command, launcher));
    return 0;
  }
  if (!action) {
    streams.err(
      `${word === "" ? "An action is missing." : unknownAction(word, command)}\n\n${commandHelp(command, launcher)}`,
    );
    return EXIT_CONFIG;
  }
  const read = readOptions(rest, { ...action.flags, ...TARGET_FLAGS });
  const { min, max } = action.words;
  const fault = read.ok ? wrongCount(read.words.length, min, max) : read.fault;
  if (!read.ok || fault !== undefined) {
    streams.err(`${fault}\nUsage: ${launcher} ${usageOf(command, action)}\n`);
    return EXIT_CONFIG;
  }
  const { values, words } = read;
  const flag = (name: string): string | undefined => values.get(name)?.at(-1);
  try {
    const target = openTarget(
      {
        server: flag("server"),
        dataDir: flag("data-dir"),
        config: flag("config"),
        mayCreate: action.mayCreate === true,
      },
      sources,
    );
    try {
      const client = new AdminClient(target, Object.keys(action.flags));
      await action.run({ client, words, values, now: Date.now(), flag }, streams);
    } finally {
      target.close();
    }
    return 0;
  } catch (error) {
    if (!(error instanceof CommandFault)) throw error;
    streams.err(`${error.message}\n`);
    return error.exitCode;
  }
}

/** An unknown word is not repeated: it may be a key that was pasted into the wrong place. */
function unknownAction(word: string, { actions }: AdminCommand): string {
  const near = nearest(word, Object.keys(actions));
  return `Unknown action.${near === undefined ? "" : ` Did you mean ${near}?`}`;
}

function wrongCount(count: number, min: number, max: number): string | undefined {
  if (count < min) return "An argument is missing.";
  if (count <= max) return undefined;
  return max === 0
    ? "The command takes no arguments, only flags."
    : "There are too many arguments. Put quotes around a name with blanks.";
}

function usageOf({ name }: AdminCommand, { usage }: AdminAction): string {
  return `${name}${usage === "" ? "" : ` ${usage}`} [flags]`;
}

function commandHelp(command: AdminCommand, launcher: string): string {
  const actions = Object.values(command.actions);
  const width = Math.max(...actions.map(({ usage }) => usage.length));
  const lines = actions.map(({ usage, about }) => `  ${usage.padEnd(width)}  ${about.split(/(?<=\.)\s/)[0]}`);
  return `moorage ${command.name} ${command.about}
Usage: ${launcher} ${command.name} <action> [flags]

${lines.join("\n")}

'${launcher} ${command.name} <action> --help' lists the flags of an action.

${WHERE}`;
}

function actionHelp(command: AdminCommand, action: AdminAction, launcher: string): string {
  return `${action.about}
Usage: ${launcher} ${usageOf(command, action)}

${flagsText({ ...action.flags, ...TARGET_FLAGS })}

${WHERE}`;
}

const WHERE = `The command sends its requests to a running server, with the operator's key in ADMIN_KEY. --server or SERVER_URL names the
server; without them, the command reads the server's own settings: --config, CONFIG_FILE and the environment. If these name
a DATA_DIR that no server is using, the command opens the database in it and needs no key, so the first admin key can be
created before the server starts.
`;
