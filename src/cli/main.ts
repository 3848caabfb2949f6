import { readFileSync } from "node:fs";
import { EXIT_CONFIG } from "../settings/read-settings.ts";
import { launcherWords } from "../system/launcher.ts";
import { surviveSignals } from "../system/signals.ts";
import { VERSION } from "../system/version.ts";
import { type Commands, parseCommand } from "./commands.ts";
import { currentWords } from "./former-programs.ts";
import { OPERATOR_COMMANDS } from "./operator-commands.ts";
import { standardStreams } from "./standard-streams.ts";

/** Every program that `moorage` starts. Each is imported on demand, so that a worker does not load the server. */
const COMMANDS: Commands = {
  demo: {
    summary: "Runs a server, workers and a sample model server on this machine.",
    run: async (argv) => (await import("../demo/program.ts")).runDemo(argv),
  },
  serve: {
    summary: "Runs the public server.",
    run: async (argv) => (await import("../serve.ts")).runServer(argv),
  },
  worker: {
    summary: "Connects a model server, a speech server or MCP servers on this machine to a server.",
    run: async (argv) => (await import("../worker/program.ts")).runWorker(argv),
  },
  doctor: {
    summary: "Tests a deployment from a worker's side and says what to fix.",
    async run(argv) {
      surviveSignals();
      const { runDoctor } = await import("../doctor/program.ts");
      const code = await runDoctor(
        { argv, env: process.env, readFile: (path) => readFileSync(path, "utf8") },
        standardStreams(),
      );
      process.exit(code);
    },
  },
  ...OPERATOR_COMMANDS,
};

const words = currentWords(process.argv0, process.argv.slice(2), OPERATOR_COMMANDS);
const request = parseCommand(words, COMMANDS, VERSION, launcherWords(process.env));
switch (request.kind) {
  case "run":
    await request.command.run(request.argv);
    break;
  case "print":
    process.stdout.write(`${request.text}\n`);
    break;
  case "fault":
    process.stderr.write(`${request.text}\n`);
    process.exitCode = EXIT_CONFIG;
    break;
  default:
    request satisfies never;
}
