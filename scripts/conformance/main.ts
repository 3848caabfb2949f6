import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../../src/app.ts";
import { listen } from "../../src/listen.ts";
import { systemClock } from "../../src/system/clock.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import { loadWorkerSettings } from "../../src/worker/args.ts";
import { KIND_NAMES } from "../../src/worker/kinds.ts";
import { startWorker } from "../../src/worker/worker.ts";
import { defaultConfig } from "../../tests/support/default-config.ts";
import { outputIn, printAuthorization, runAuthorization } from "./authorization.ts";
import { type Checks, lost, readChecks, score } from "./checks.ts";
import { startRenaming } from "./renaming.ts";

// `bun run conformance` runs the official MCP suite five times: against a server directly, against the same server through
// a relay, with the server on stdio through a relay that bridges it, and through the one URL of a file that names either of
// them alone, whose prefix is taken out of names. It also runs the scenarios for authorization servers against a server with a
// connector relay. It prints all results, scenario by scenario, and exits with 1 if a check does worse through a relay that could
// carry it, or if one of the authorization server fails.

/** Both eras of the specification; the suite has a frozen list of scenarios for each. */
const REVISIONS = ["2025-11-25", "2026-07-28"] as const;
const SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js";
const CLIENT_KEY = "conformance";
const API_KEY = "key-of-the-user";
const FIXTURE = "scripts/conformance/fixture-server.mjs";
/** Milliseconds. One run of the suite takes a few seconds. */
const SUITE_TIMEOUT_MS = 3 * 60_000;

/** Checks that a server on stdio cannot pass, whatever is in front of it. None is in the suite's required scenarios. */
const BEYOND_STDIO: ReadonlyMap<string, string> = new Map([
  ["server-sse-disconnect-resume", "over stdio, a server has no stream that it could drop"],
]);

/** The same for one URL in front of such a server: the hub has streams of its own. */
const BEYOND_HUB: ReadonlyMap<string, string> = new Map([
  ["server-sse-disconnect-resume", "a server's dropped stream stays between it and the hub"],
]);

const directory = mkdtempSync(join(tmpdir(), "moorage-conformance-"));
const fixture = await startFixture();
const relay = await startRelay("--url", fixture.url);
const bridge = await startRelay("--stdio", `'${process.execPath}' ${FIXTURE} --stdio`);
const hubs = await Promise.all(
  [{ command: process.execPath, args: [FIXTURE, "--stdio"] }, { url: fixture.url }].map((entry) => startHub(entry)),
);
const connector = await startRelay("--url", fixture.url, ["--access", "connector"]);
try {
  const isWhole = await compare(fixture.url, [
    { name: "relayed", told: "through the relay", url: relay.url, beyond: new Map() },
    { name: "stdio", told: "by stdio through the relay", url: bridge.url, beyond: BEYOND_STDIO },
    { name: "hub-stdio", told: "by stdio behind one URL", url: hubs[0]?.url ?? "", beyond: BEYOND_HUB },
    { name: "hub-http", told: "behind one URL", url: hubs[1]?.url ?? "", beyond: BEYOND_HUB },
  ]);
  const issuer = new URL(connector.url).origin;
  let isGranting = true;
  for (const revision of REVISIONS) {
    const output = outputIn(directory, revision);
    const run = { issuer, resource: `${connector.url}/mcp`, key: API_KEY, revision, output };
    const result = await runAuthorization(run);
    printAuthorization(result, revision);
    isGranting &&= result.isWhole;
  }
  process.exitCode = isWhole && isGranting ? 0 : 1;
} finally {
  await connector.stop();
  for (const hub of hubs) await hub.stop();
  await bridge.stop();
  await relay.stop();
  fixture.stop();
  rmSync(directory, { recursive: true });
}

/** Starts the MCP server with everything that the suite tests, in its own process. */
async function startFixture(): Promise<{ readonly url: string; stop(): void }> {
  const child = Bun.spawn([process.execPath, FIXTURE, "--port", "0"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  let said = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the fixture ended before it listened: ${said}`);
    said += new TextDecoder().decode(value);
    const url = /http:\/\/\S+/.exec(said)?.[0];
    if (url !== undefined) return { url, stop: () => child.kill() };
  }
}

/** Starts a relay in front of the MCP server that `option` names. */
function startRelay(
  option: "--url" | "--stdio",
  upstream: string,
  more: readonly string[] = [],
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  return startWith(["--id", "suite", option, upstream, ...more]);
}

/** Starts one URL for a file with a single server, and in front of it what takes the server's prefix out of names. */
async function startHub(entry: object): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const file = JSON.stringify({ mcpServers: { one: entry } });
  const hub = await startWith(["--servers", "servers.json", "--one-url", "suite", "--one-url-only", "true"], file);
  const renaming = startRenaming(hub.url, "one__");
  return {
    url: renaming.url,
    async stop() {
      await renaming.stop();
      await hub.stop();
    },
  };
}

/** Starts a server and a worker that is connected to it by real sockets. */
async function startWith(args: readonly string[], file = ""): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const deps = { clock: systemClock, ids: systemIds, log: silentLog };
  const config = defaultConfig({
    port: 0,
    host: "127.0.0.1",
    apiKeys: [API_KEY],
    clientKeys: [CLIENT_KEY],
    plugins: ["mcp"],
  });
  const app = createApp(config, deps);
  const listening = listen(app, config);
  const loaded = loadWorkerSettings({
    argv: ["mcp", "--server", listening.url, "--client-key", CLIENT_KEY, ...args],
    env: {},
    readFile: () => file,
    version: "",
    knownKinds: KIND_NAMES,
    hostname: "conformance",
    isTerminal: false,
  });
  if (loaded.kind !== "ready") throw new Error("the relay's settings are not valid");
  const worker = startWorker(loaded.config, deps, { env: { PATH: process.env["PATH"] } });
  await worker.registered;
  return {
    url: `${listening.url}/api/mcp/id/suite`,
    async stop() {
      await worker.stop();
      app.close();
      await listening.stop();
    },
  };
}

/** A path to the same MCP server. */
interface Way {
  readonly name: string;
  /** The heading of its column. */
  readonly told: string;
  readonly url: string;
  /** Checks that cannot pass on this path, and why. */
  readonly beyond: ReadonlyMap<string, string>;
}

async function compare(direct: string, ways: readonly Way[]): Promise<boolean> {
  let isWhole = true;
  for (const revision of REVISIONS) {
    const before = await run(direct, revision, "direct");
    const after: ReadonlyMap<string, Checks>[] = [];
    for (const { url, name } of ways) after.push(await run(url, revision, name));
    console.log(`\n### ${revision}\n\n| scenario | directly | ${ways.map(({ told }) => told).join(" | ")} | lost |`);
    console.log("| --- ".repeat(ways.length + 3).concat("|"));
    const same = ways.map(() => 0);
    const scenarios = [...new Set([before, ...after].flatMap((checks) => [...checks.keys()]))].sort();
    for (const scenario of scenarios) {
      const told = ways.flatMap(({ told, beyond }, at) => {
        const gone = lost(before.get(scenario), after[at]?.get(scenario));
        if (gone.length === 0) same[at] = (same[at] ?? 0) + 1;
        if (gone.some((check) => !beyond.has(check))) isWhole = false;
        return gone.map((check) => `${check} ${told}${beyond.has(check) ? ` (${beyond.get(check)})` : ""}`);
      });
      const scores = [before, ...after].map((checks) => score(checks.get(scenario)));
      console.log(`| ${scenario} | ${scores.join(" | ")} | ${told.length === 0 ? "–" : told.join(", ")} |`);
    }
    console.log();
    for (const [at, { told }] of ways.entries()) {
      console.log(`${revision}, ${told}: ${same[at]} of ${scenarios.length} scenarios as directly`);
    }
    // A suite that ran nothing proves nothing.
    if (before.size === 0) isWhole = false;
  }
  return isWhole;
}

async function run(url: string, revision: string, name: string): Promise<ReadonlyMap<string, Checks>> {
  const output = join(directory, `${revision}-${name}`);
  const suite = Bun.spawn([process.execPath, SUITE, "server", "--url", url, "--requirements", revision, "-o", output], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, NO_COLOR: "1" },
    timeout: SUITE_TIMEOUT_MS,
  });
  // The exit code reports failed checks, which are printed here. The summary shows that the suite ran to its end.
  const [said, complained] = await Promise.all([suite.stdout.text(), suite.stderr.text(), suite.exited]);
  if (!said.includes("=== SUMMARY ==="))
    throw new Error(`the suite did not finish: ${said.slice(-500)}${complained.slice(-500)}`);
  return readChecks(output);
}
