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
import { type Checks, lost, readChecks, score } from "./checks.ts";

// `bun run conformance` runs the official MCP suite three times: against a server directly, against the same server through
// a relay, and, with the server on stdio, through a relay that bridges it. It prints all three results, scenario by scenario,
// and exits with 1 if a check does worse through a relay that could carry it.

/** Both eras of the specification; the suite has a frozen list of scenarios for each. */
const REVISIONS = ["2025-11-25", "2026-07-28"] as const;
const SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js";
const CLIENT_KEY = "conformance";
const FIXTURE = "scripts/conformance/fixture-server.mjs";
/** Milliseconds. One run of the suite takes a few seconds. */
const SUITE_TIMEOUT_MS = 3 * 60_000;

/** Checks that a server on stdio cannot pass, whatever is in front of it. None is in the suite's required scenarios. */
const BEYOND_STDIO: ReadonlyMap<string, string> = new Map([
  ["server-sse-disconnect-resume", "over stdio, a server has no stream that it could drop"],
]);

const directory = mkdtempSync(join(tmpdir(), "moorage-conformance-"));
const fixture = await startFixture();
const relay = await startRelay("--url", fixture.url);
const bridge = await startRelay("--stdio", `'${process.execPath}' ${FIXTURE} --stdio`);
try {
  process.exitCode = (await compare(fixture.url, [
    { name: "relayed", told: "through the relay", url: relay.url, beyond: new Map() },
    { name: "stdio", told: "by stdio through the relay", url: bridge.url, beyond: BEYOND_STDIO },
  ]))
    ? 0
    : 1;
} finally {
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

/** Starts a server and a relay in front of the MCP server that `option` names, connected by real sockets. */
async function startRelay(
  option: "--url" | "--stdio",
  upstream: string,
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const deps = { clock: systemClock, ids: systemIds, log: silentLog };
  const config = defaultConfig({ port: 0, host: "127.0.0.1", clientKeys: [CLIENT_KEY], plugins: ["mcp"] });
  const app = createApp(config, deps);
  const listening = listen(app, config);
  const loaded = loadWorkerSettings({
    argv: ["mcp", "--server", listening.url, "--client-key", CLIENT_KEY, "--id", "suite", option, upstream],
    env: {},
    readFile: () => "",
    version: "",
    knownKinds: KIND_NAMES,
    hostname: "conformance",
    isTerminal: false,
  });
  if (loaded.kind !== "ready") throw new Error("the relay's settings are not valid");
  const worker = startWorker(loaded.config, deps);
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
