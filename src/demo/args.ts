/** The parsed command line of the demo: run it, print a text, or report a fault. */
export type DemoRequest =
  | { readonly kind: "run" }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "fault"; readonly text: string };

/** Reads the demo's command line. `argv` begins after the word `demo`. */
export function parseDemoArgs(argv: readonly string[], version: string): DemoRequest {
  const [first] = argv;
  if (first === undefined) return { kind: "run" };
  if (argv.includes("--help") || argv.includes("-h")) return { kind: "print", text: helpText(version) };
  if (argv.includes("--version")) return { kind: "print", text: version };
  // The argument is not repeated: it may be a key.
  return { kind: "fault", text: "The demo takes no arguments. Run 'moorage demo --help' for details." };
}

function helpText(version: string): string {
  return [
    `moorage demo ${version}: runs a server, workers and a sample model server on this machine.`,
    "Usage: moorage demo",
    "The server listens on 127.0.0.1, on port 8080 or the one that the environment variable PORT names.\n" +
      "If that port is taken, it uses any free one. The keys are new in each run.\n" +
      "If Ollama, llama.cpp, vLLM or LM Studio responds on its usual port, the demo uses that instead of the sample.",
    "The demo prints its URLs and keys, and commands to try. Ctrl-C stops everything.",
  ].join("\n\n");
}
