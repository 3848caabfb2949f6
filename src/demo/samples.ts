import { launcherWords } from "../system/launcher.ts";
import { listenFault } from "../system/listen-fault.ts";
import { surviveSignals } from "../system/signals.ts";
import {
  SAMPLE_CHAT_MODEL,
  SAMPLE_EMBED_MODEL,
  SAMPLE_TRANSCRIBE_MODEL,
  startSampleBackend,
} from "./sample-backend.ts";
import { startSampleMcp } from "./sample-mcp.ts";

/** Runs only the sample model server and the sample MCP server until a signal ends them, to try one's own server with them. */
export function runSamples(env: Readonly<Record<string, string | undefined>>): void {
  surviveSignals();
  const port = Number(env["PORT"] ?? 0);
  let backend: ReturnType<typeof startSampleBackend>;
  try {
    backend = startSampleBackend({ port });
  } catch (error) {
    const { reason, hint } = listenFault(error, port, "PORT");
    process.stderr.write(
      `The sample model server does not start: ${reason}${hint === undefined ? "" : `; ${hint}`}.\n`,
    );
    process.exit(1);
  }
  const mcp = startSampleMcp();
  process.stdout.write(samplesText({ launcher: launcherWords(env), backendUrl: backend.url, mcpUrl: mcp.url }));
  const stop = (): void => {
    process.stdout.write("\nStopping.\n");
    void Promise.all([backend.stop(), mcp.stop()]).then(() => process.exit(0));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
}

export interface SamplesFacts {
  /** What starts this program again: `launcherWords`. */
  readonly launcher: string;
  readonly backendUrl: string;
  readonly mcpUrl: string;
}

/** The text that is printed: the addresses, and the workers that connect them to a server. */
export function samplesText({ launcher, backendUrl, mcpUrl }: SamplesFacts): string {
  const lines = [
    "",
    "Two samples are running, and no server:",
    "",
    `  model server   ${backendUrl}   (no language model: it repeats the question)`,
    `                 models ${[SAMPLE_CHAT_MODEL, SAMPLE_EMBED_MODEL, SAMPLE_TRANSCRIBE_MODEL].join(", ")}`,
    `  MCP server     ${mcpUrl}`,
    "",
    "To connect them to your server, with its address and the key that it asks workers for:",
    "",
    "  export SERVER_URL=https://your-server.example CLIENT_KEY=…",
    `  ${launcher} worker llm --backend ${backendUrl} --models ${SAMPLE_CHAT_MODEL},${SAMPLE_EMBED_MODEL}`,
    `  ${launcher} worker asr --backend ${backendUrl} --models ${SAMPLE_TRANSCRIBE_MODEL}`,
    `  ${launcher} worker mcp --url ${mcpUrl} --id sample`,
    "",
    "Ctrl-C stops both.",
    "",
  ];
  return `${lines.join("\n")}\n`;
}
