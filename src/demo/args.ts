/** The parsed command line of the demo: run it, print a text, or report a fault. */
export type DemoRequest =
  | { readonly kind: "run" }
  | { readonly kind: "run cluster"; readonly servers: number }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "fault"; readonly text: string };

/** A cluster has at least two servers; more than nine would be too many for one machine. */
const MOST_SERVERS = 9;

/** Reads the demo's command line. `argv` begins after the word `demo`. */
export function parseDemoArgs(argv: readonly string[], version: string): DemoRequest {
  if (argv.length === 0) return { kind: "run" };
  if (argv.includes("--help") || argv.includes("-h")) return { kind: "print", text: helpText(version) };
  if (argv.includes("--version")) return { kind: "print", text: version };
  const words = argv.flatMap((word) => (word.startsWith("--servers=") ? word.split("=", 2) : [word]));
  const [flag, count = ""] = words;
  // The argument is not repeated: it may be a key.
  if (flag !== "--servers" || words.length > 2)
    return { kind: "fault", text: "The demo takes no arguments but --servers. Run 'moorage demo --help' for details." };
  const servers = Number(count);
  if (!/^\d$/.test(count) || servers < 1)
    return { kind: "fault", text: `--servers takes a number from 1 to ${MOST_SERVERS}, such as --servers 3.` };
  return servers === 1 ? { kind: "run" } : { kind: "run cluster", servers };
}

function helpText(version: string): string {
  return [
    `moorage demo ${version}: runs a server, workers and a sample model server on this machine.`,
    "Usage: moorage demo [--servers <number>]",
    "The server listens on 127.0.0.1, on port 8080 or the one that the environment variable PORT names.\n" +
      "If that port is taken, it uses any free one. The keys are new in each run.\n" +
      "If Ollama, llama.cpp, vLLM or LM Studio responds on its usual port, the demo uses that instead of the sample.",
    "With --servers 3 it starts three servers, the nats-server that joins them, and a load balancer, workers and clients,\n" +
      "all on this machine. You can then kill, stop and restart servers from the terminal and watch what happens to the\n" +
      "streams. It uses an installed nats-server, or fetches one.",
    "The demo prints its URLs and keys, and commands to try. Ctrl-C stops everything.",
  ].join("\n\n");
}
