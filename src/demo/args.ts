import { parseArgs } from "node:util";

/** The parsed command line of the demo: run it, print a text, or report a fault. */
export type DemoRequest =
  | {
      readonly kind: "run";
      /** The file that keeps the keys; undefined: new keys in each run. */
      readonly keysFile: string | undefined;
    }
  | { readonly kind: "run cluster"; readonly servers: number }
  | { readonly kind: "run samples" }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "fault"; readonly text: string };

/** A cluster has at least two servers; more than nine would be too many for one machine. */
const MOST_SERVERS = 9;

/** Reads the demo's command line. `argv` begins after the word `demo`; `launcher` is what starts this program again. */
export function parseDemoArgs(argv: readonly string[], version: string, launcher: string): DemoRequest {
  const fault = (text: string): DemoRequest => faultOf(text, launcher);
  const read = readFlags(argv);
  if (read === undefined) return fault("The demo takes --servers, --keys and --sample-only only, each once.");
  const { help, version: asksVersion, servers: count, keys: keysFile, "sample-only": isSampleOnly = false } = read;
  if (help) return { kind: "print", text: helpText(version, launcher) };
  if (asksVersion) return { kind: "print", text: version };
  if (keysFile === "") return fault("--keys needs the path of a file.");
  const given = [count, keysFile, isSampleOnly || undefined].filter((each) => each !== undefined);
  if (given.length > 1) return fault("Of --servers, --keys and --sample-only, the demo takes one.");
  if (isSampleOnly) return { kind: "run samples" };
  if (count === undefined) return { kind: "run", keysFile };
  const servers = Number(count);
  if (!/^\d$/.test(count) || servers < 1)
    return { kind: "fault", text: `--servers takes a number from 1 to ${MOST_SERVERS}, such as --servers 3.` };
  return servers === 1 ? { kind: "run", keysFile: undefined } : { kind: "run cluster", servers };
}

interface DemoFlags {
  readonly help?: boolean;
  readonly version?: boolean;
  readonly servers?: string;
  readonly keys?: string;
  readonly "sample-only"?: boolean;
}

/** Returns the flags; undefined for a command line with anything else in it, which may be a key. */
function readFlags(argv: readonly string[]): DemoFlags | undefined {
  const args = argv.map((word, at) => (isWithoutValue(word, argv[at + 1]) ? `${word}=` : word));
  try {
    return parseArgs({
      args,
      options: {
        help: { type: "boolean", short: "h" },
        version: { type: "boolean" },
        servers: { type: "string" },
        keys: { type: "string" },
        "sample-only": { type: "boolean" },
      },
    }).values;
  } catch {
    return undefined;
  }
}

/** A value that was forgotten must not be the next flag. */
function isWithoutValue(word: string, next: string | undefined): boolean {
  return (word === "--servers" || word === "--keys") && (next === undefined || next.startsWith("--"));
}

/** The argument is not repeated: it may be a key. */
function faultOf(text: string, launcher: string): DemoRequest {
  return { kind: "fault", text: `${text} Run '${launcher} demo --help' for details.` };
}

function helpText(version: string, launcher: string): string {
  return [
    `moorage demo ${version}: runs a server, workers and a sample model server on this machine.`,
    `Usage: ${launcher} demo [--keys <file> | --servers <number> | --sample-only]`,
    "The server listens on 127.0.0.1, on port 8080 or the one that the environment variable PORT names.\n" +
      "If that port is taken, it says so and uses any free one.\n" +
      "If Ollama, llama.cpp, vLLM or LM Studio responds on its usual port, the demo uses that instead of the sample.",
    "The keys are new in each run, unless a file keeps them: --keys demo.env makes the file with API_KEY=… and\n" +
      "CLIENT_KEY=… in it, readable by you only, and uses it again the next time.",
    "With --sample-only it starts no server and no worker, only the sample model server and the sample MCP server, to try\n" +
      "your own server with them. The model server then listens on PORT, else on any free port.",
    "With --servers 3 it starts three servers, the nats-server that joins them, and a load balancer, workers and clients,\n" +
      "all on this machine. You can then kill, stop and restart servers from the terminal and watch what happens to the\n" +
      "streams. It uses an installed nats-server, or fetches one.",
    "The demo prints its URLs and keys, and commands to try. Ctrl-C stops everything.",
  ].join("\n\n");
}
