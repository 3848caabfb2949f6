import type { HelpGroup, ProgramText } from "../settings/render.ts";

interface WorkerGroup extends HelpGroup {
  /** The kinds that the group concerns; undefined for all. */
  readonly kinds?: readonly string[];
}

/** The flags of the worker as `--help` groups them. Those of no group are listed at the end. */
export const WORKER_GROUPS: readonly WorkerGroup[] = [
  {
    title: "The server and this worker",
    flags: ["config", "server", "join", "client-key", "name", "id", "state-file", "update"],
  },
  {
    title: "The model server",
    kinds: ["llm", "asr"],
    flags: ["backend", "backend-key", "models", "rename", "max-concurrency"],
  },
  { title: "Language models", kinds: ["llm"], flags: ["embedding-batch-size", "drop-billing-line"] },
  { title: "Speech, if another server does it", kinds: ["asr"], flags: ["asr-backend", "asr-backend-key"] },
  {
    title: "The MCP server",
    kinds: ["mcp"],
    flags: ["url", "transport", "header", "stdio", "shared", "max-sessions", "session-idle"],
  },
  {
    title: "Several MCP servers",
    kinds: ["mcp"],
    flags: ["servers", "one-url", "one-url-only", "tool-search"],
  },
  {
    title: "Who may call the MCP server",
    kinds: ["mcp"],
    flags: ["access", "auth-token", "oauth", "audit-arguments"],
  },
  { title: "Proxies on the way out", flags: ["https-proxy", "http-proxy", "no-proxy"] },
  { title: "Times", flags: ["dial-timeout", "watch-interval", "request-timeout", "drain-timeout"] },
];

/** One line for each kind, which starts a worker of it. */
const EXAMPLES: Readonly<Record<string, string>> = {
  llm: "worker llm --server https://moorage.example.com --join mj_…",
  asr: "worker asr --server https://moorage.example.com --join mj_… --backend http://127.0.0.1:8000/v1",
  mcp: "worker mcp --server https://moorage.example.com --join mj_… --id files --stdio 'npx -y @modelcontextprotocol/server-filesystem .'",
};

/**
 * The texts of the worker's `--help`. If the command line names kinds, only what concerns them is listed. `launcher` is what
 * one types in front of the command.
 */
export function workerText(
  version: string,
  knownKinds: readonly string[],
  argv: readonly string[] = [],
  launcher = "moorage",
): ProgramText {
  const named = knownKinds.filter((kind) => argv.includes(kind));
  const isShown = ({ kinds }: WorkerGroup): boolean =>
    kinds === undefined || named.length === 0 || kinds.some((kind) => named.includes(kind));
  const [hidden, groups] = [WORKER_GROUPS.filter((each) => !isShown(each)), WORKER_GROUPS.filter(isShown)];
  return {
    name: "moorage worker",
    version,
    about: "connects model servers and MCP servers on this machine to a public server.",
    usage:
      named.length > 0
        ? `${launcher} worker ${named.join(" ")} [flags]`
        : `${launcher} worker ${knownKinds.join("|")} [more kinds] [flags]\n       ${launcher} worker doctor [flags]    (tests the server and the connection to it)\n       ${launcher} worker install|uninstall|status [flags]    (keeps a worker running, as a service of this system)`,
    examples: (named.length > 0 ? named : knownKinds).flatMap((kind) =>
      EXAMPLES[kind] === undefined ? [] : [`${launcher} ${EXAMPLES[kind]}`],
    ),
    groups,
    hidden: hidden.flatMap(({ flags }) => flags),
    ...(named.length > 0 && { more: `'${launcher} worker --help' lists the settings of all kinds.` }),
  };
}
