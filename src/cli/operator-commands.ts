import { readFileSync } from "node:fs";
import { surviveSignals } from "../system/signals.ts";
import type { AdminCommand } from "./admin-command.ts";
import type { Commands } from "./commands.ts";
import { standardStreams } from "./standard-streams.ts";

const GROUP = "For operators";

/** What operators do on the command line of a server. The binary of the server has these commands, too. */
export const OPERATOR_COMMANDS = {
  keys: {
    group: GROUP,
    summary: "Creates, lists, changes, rotates and revokes keys.",
    run: (argv) => administer(argv, async () => (await import("./keys-command.ts")).KEYS),
  },
  "join-token": {
    group: GROUP,
    summary: "Creates, lists and revokes the tokens with which workers join.",
    run: (argv) => administer(argv, async () => (await import("./join-token-command.ts")).JOIN_TOKEN),
  },
  tenants: {
    group: GROUP,
    summary: "Shows and sets the limits that all keys of a tenant share.",
    run: (argv) => administer(argv, async () => (await import("./tenants-command.ts")).TENANTS),
  },
  usage: {
    group: GROUP,
    summary: "Shows usage by key and model.",
    run: (argv) => administer(argv, async () => (await import("./usage-command.ts")).USAGE),
  },
  audit: {
    group: GROUP,
    summary: "Shows what operators did.",
    run: (argv) => administer(argv, async () => (await import("./audit-command.ts")).AUDIT),
  },
  mcp: {
    group: GROUP,
    summary: "Shows and exports the calls of MCP servers, and lists and ends the access of programs.",
    run: (argv) => administer(argv, async () => (await import("./mcp-command.ts")).MCP),
  },
  backup: {
    group: GROUP,
    summary: "Copies the server's store to a file, also while the server runs.",
    async run(argv) {
      surviveSignals();
      const { runBackup } = await import("./backup.ts");
      process.exitCode = runBackup({ argv, env: process.env, readFile }, standardStreams());
    },
  },
} as const satisfies Commands;

async function administer(argv: readonly string[], load: () => Promise<AdminCommand>): Promise<void> {
  surviveSignals();
  const { runAdmin } = await import("./admin-command.ts");
  process.exitCode = await runAdmin(await load(), { argv, env: process.env, readFile }, standardStreams());
}

function readFile(path: string): string {
  return readFileSync(path, "utf8");
}
