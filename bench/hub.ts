import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Children, Helper } from "./children.ts";
import { MCP_HEADERS } from "./mcp.ts";
import { type CallQuestion, type CallTarget, type SmallAnswer, toolCall } from "./mcp-calls.ts";
import { CLIENT_KEY, type MoorageServer, startServer } from "./moorage.ts";
import { median, ratios, spread } from "./numbers.ts";
import type { Goal, PartResult, Table } from "./report.ts";
import { interleave } from "./rounds.ts";

const SERVERS = 20;
/** The list of the slowest server takes this long, that of the fastest a twentieth of it. */
const SLOWEST_LIST_MS = 200;
/** The most time that a list of all may take, relative to the slowest of them. */
const MOST_OF_SLOWEST = 1.3;
/** The most time that one URL may add to a call, relative to the server's own URL. */
const MOST_OF_OWN = 1.2;
/** Where the server on HTTP answers in JSON, and where in event streams. */
const WEB = "/mcp";
const EVENTS = "/events";
const SCRIPT = join(import.meta.dir, "hub-server.ts");

/** One kind of server: its calls directly, at its own URL, and at the one URL of all. */
interface Ways {
  readonly name: string;
  readonly ways: readonly (() => Promise<SmallAnswer>)[];
}

/** Measures one URL in front of twenty MCP servers: the list of all tools, and what it adds to a call. */
export async function measureHub(children: Children, isQuick: boolean): Promise<PartResult> {
  // Many short rounds: what disturbs the machine then disturbs few of them.
  const rounds = isQuick ? 9 : 27;
  const count = isQuick ? 100 : 200;
  const web = await children.helper("hub-server.ts", ["0", "--http"]);
  const stdio = await children.helper("hub-load.ts");
  const load = await children.helper("mcp-load.ts");
  const server = await startServer(children);
  await startWorker(children, server, web);
  const keys = Array.from({ length: SERVERS }, (_, at) => `s${at}`);
  const own = await Promise.all(keys.map((key) => openSession(server, key)));
  const [ownWeb, ownEvents] = [await openSession(server, "web"), await openSession(server, "events")];
  const team = await openSession(server, "team");

  const lists = await interleave([...own, team], rounds, listIn);
  const slowest = (lists[0] ?? []).map((_, round) =>
    Math.max(...lists.slice(0, SERVERS).map((times) => times[round] ?? 0)),
  );
  const all = lists[SERVERS] ?? [];

  const at = (target: CallTarget, name: string) => (): Promise<SmallAnswer> => {
    const question: CallQuestion = { kind: "small", target, body: toolCall(name), count };
    return load.ask<SmallAnswer>(question);
  };
  const direct = (path: string): CallTarget => ({ url: `${web.greeting.url}${path}`, headers: MCP_HEADERS });
  const kinds: readonly Ways[] = [
    {
      name: "stdio",
      ways: [() => stdio.ask<SmallAnswer>({ count }), at(own[0] ?? team, "small"), at(team, "s0__small")],
    },
    { name: "HTTP, JSON", ways: [at(direct(WEB), "small"), at(ownWeb, "small"), at(team, "web__small")] },
    { name: "HTTP, events", ways: [at(direct(EVENTS), "small"), at(ownEvents, "small"), at(team, "events__small")] },
  ];
  const calls: { readonly name: string; readonly samples: readonly (readonly SmallAnswer[])[] }[] = [];
  for (const { name, ways } of kinds) calls.push({ name, samples: await interleave(ways, rounds, (way) => way()) });

  return {
    goals: [listGoal(all, slowest), ...calls.map(({ name, samples }) => callGoal(name, samples))],
    report: {
      title: "One URL for twenty MCP servers",
      method: `${SERVERS} MCP servers on stdio, with ten tools each, whose lists take ${SLOWEST_LIST_MS / SERVERS} to ${SLOWEST_LIST_MS} ms, and two on Streamable HTTP, which answer in JSON and in event streams, are in one servers file (\`bench/hub-server.ts\`), each at its own URL and all at one. Lists are asked for one after the other, in open sessions. Calls are made ${count} times in a row per round, directly, at the server's own URL and at the one URL; added is the median beyond the direct call. Medians of ${rounds} rounds, with the range.`,
      tables: [listTable(all, slowest), callTable(calls)],
    },
  };
}

function listGoal(all: readonly number[], slowest: readonly number[]): Goal {
  const each = ratios(all, slowest);
  return {
    what: `a list of all tools of ${SERVERS + 2} servers / that of the slowest of them`,
    measured: `${spread(each, 2)} ×`,
    wanted: `at most ${MOST_OF_SLOWEST} ×`,
    isMet: median(each) <= MOST_OF_SLOWEST,
  };
}

function callGoal(name: string, samples: readonly (readonly SmallAnswer[])[]): Goal {
  const [direct = [], own = [], all = []] = samples.map((each) => each.map(({ p50 }) => p50));
  const added = (times: readonly number[]): number[] => times.map((time, at) => time - (direct[at] ?? Number.NaN));
  const each = ratios(added(all), added(own));
  return {
    what: `added to a call of a server on ${name}: one URL / its own URL`,
    measured: `${spread(each, 2)} ×`,
    wanted: `at most ${MOST_OF_OWN} ×`,
    isMet: median(each) <= MOST_OF_OWN,
  };
}

function listTable(all: readonly number[], slowest: readonly number[]): Table {
  return {
    head: ["lists of tools", "ms"],
    rows: [
      ["slowest server, at its own URL", spread(slowest, 0)],
      ["all servers, at one URL", spread(all, 0)],
    ],
  };
}

function callTable(
  calls: readonly { readonly name: string; readonly samples: readonly (readonly SmallAnswer[])[] }[],
): Table {
  return {
    head: ["calls", "directly, p50 ms", "own URL", "one URL", "one URL, p99 ms"],
    rows: calls.map(({ name, samples }) => [
      `server on ${name}`,
      ...samples.map((each) =>
        spread(
          each.map(({ p50 }) => p50),
          2,
        ),
      ),
      median((samples[2] ?? []).map(({ p99 }) => p99)).toFixed(2),
    ]),
  };
}

/** Starts a worker with a servers file, as its users do. Resolves when the server knows it. */
async function startWorker(children: Children, server: MoorageServer, web: Helper): Promise<void> {
  const listed = Array.from({ length: SERVERS }, (_, at) => {
    const delay = String(((at + 1) * SLOWEST_LIST_MS) / SERVERS);
    return [`s${at}`, { command: process.execPath, args: [SCRIPT, delay], id: `s${at}` }];
  });
  const { url } = web.greeting;
  const mcpServers = {
    ...Object.fromEntries(listed),
    web: { url: `${url}${WEB}`, id: "web" },
    events: { url: `${url}${EVENTS}`, id: "events" },
  };
  const file = join(children.directory, "servers.json");
  writeFileSync(file, JSON.stringify({ mcpServers, one_url: "team" }));
  const args = ["src/worker/main.ts", "mcp", "--server", server.url, "--servers", file];
  await children.program(args, { CLIENT_KEY, LOG_FORMAT: "json" }, "link.opened");
}

/** Opens a session at a relay, which may not be registered yet. */
async function openSession(server: MoorageServer, id: string): Promise<CallTarget> {
  const url = `${server.url}/api/mcp/id/${id}/mcp`;
  const clientInfo = { name: "bench", version: "1" };
  const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo };
  const body = JSON.stringify({ jsonrpc: "2.0", id: 0, method: "initialize", params });
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(url, { method: "POST", headers: MCP_HEADERS, body });
    await response.arrayBuffer();
    if (response.ok) {
      const session = response.headers.get("mcp-session-id");
      return { url, headers: { ...MCP_HEADERS, ...(session === null ? {} : { "mcp-session-id": session }) } };
    }
    if (attempt === 100) throw new Error(`${id} answers ${response.status}`);
    await Bun.sleep(100);
  }
}

/** Asks for a list of tools. Returns the milliseconds until it was complete. */
async function listIn({ url, headers }: CallTarget): Promise<number> {
  const startedAt = performance.now();
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} });
  const response = await fetch(url, { method: "POST", headers: { ...headers }, body });
  const text = await response.text();
  if (!response.ok || !text.includes('"small"') === !text.includes("__small"))
    throw new Error(`no list: ${text.slice(0, 200)}`);
  return performance.now() - startedAt;
}
