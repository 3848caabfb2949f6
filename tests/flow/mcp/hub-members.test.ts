import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { fetchFrom } from "../../../src/worker/mcp/hub/backend-fetch.ts";
import { askStateless, type Message, messagesOf, reading } from "../../support/bridge-client.ts";
import { eventually } from "../../support/eventually.ts";
import { hubOf, listingServer } from "../../support/hub-rig.ts";
import { startFixture } from "../../support/mcp-rig.ts";
import { startSseMcpServer } from "../../support/sse-mcp-server.ts";

// Servers of every transport and of both eras, behind one URL for clients of both eras.

const FIXTURE = new URL("../../../scripts/conformance/fixture-server.mjs", import.meta.url).pathname;

const running: { stop(): unknown }[] = [];
let servers: Readonly<Record<string, object>>;
let sse: Awaited<ReturnType<typeof startSseMcpServer>>;
beforeEach(async () => {
  const fixture = await startFixture();
  sse = await startSseMcpServer();
  running.push(fixture, sse);
  servers = {
    web: { url: fixture.url },
    old: { url: sse.url },
    both: { command: process.execPath, args: [FIXTURE, "--stdio"] },
    notes: listingServer("notes"),
    gone: { url: "http://127.0.0.1:9/mcp" },
  };
});
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

async function connect(mode: "legacy" | { readonly pin: "2026-07-28" }): Promise<Client> {
  const hub = hubOf(servers);
  running.push(hub);
  const client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
  const transport = new StreamableHTTPClientTransport(new URL("http://hub.invalid/mcp"), { fetch: fetchFrom(hub) });
  await client.connect(transport);
  running.push({ stop: () => client.close() });
  return client;
}

async function namesOf(client: Client): Promise<ReadonlySet<string>> {
  return new Set((await client.listTools()).tools.map(({ name }) => name.split("__")[0] ?? ""));
}

const MODES = [
  ["sessions", "legacy"],
  ["no sessions", { pin: "2026-07-28" }],
] as const;

describe.each(MODES)("a client with %s", (_name, mode) => {
  test("lists, calls and reads from servers of every transport, and misses one that is down", async () => {
    const client = await connect(mode);
    expect(await namesOf(client)).toEqual(new Set(["web", "old", "both", "notes"]));
    for (const name of ["web", "both"]) {
      const { content } = await client.callTool({ name: `${name}__smoke_echo`, arguments: { text: "ahoy ⚓" } });
      expect(content).toEqual([{ type: "text", text: "ahoy ⚓" }]);
    }
    const { content } = await client.callTool({ name: "notes__read", arguments: { text: "a" } });
    expect(content).toEqual([{ type: "text", text: 'read of notes: {"text":"a"}' }]);
    expect((await client.readResource({ uri: "file:///notes" })).contents).toEqual([
      { uri: "file:///notes", text: "text of notes" },
    ]);
    await expect(client.readResource({ uri: "file:///nobody" })).rejects.toThrow();
  });

  test("hears of the progress of servers of either era", async () => {
    const client = await connect(mode);
    for (const name of ["web", "both"]) {
      const heard: number[] = [];
      const call = { name: `${name}__smoke_long`, arguments: { steps: 3, delayMs: 5 } };
      await client.callTool(call, { onprogress: ({ progress }) => heard.push(progress) });
      expect(heard).toEqual([1, 2, 3]);
    }
  });
});

test("a listener without a session hears of changes of servers that know only sessions, and of others", async () => {
  const hub = hubOf(servers);
  running.push(hub);
  const leave = new AbortController();
  const notifications = { toolsListChanged: true, resourceSubscriptions: ["file:///notes"] };
  const answer = askStateless(
    hub,
    { id: "l", method: "subscriptions/listen", params: { notifications } },
    { signal: leave.signal },
  );
  const stream = reading(await answer);
  const first = await stream.until("acknowledged");
  expect(first).toContain('"io.modelcontextprotocol/subscriptionId":"l"');
  const call = async (name: string): Promise<Message> =>
    (await messagesOf(await askStateless(hub, { id: 5, method: "tools/call", params: { name, arguments: {} } }))).at(
      -1,
    ) ?? {};
  expect(await call("notes__change")).toMatchObject({ result: { resultType: "complete" } });
  const heard = await stream.until("notifications/resources/updated");
  expect(heard).toContain("notifications/tools/list_changed");
  expect(heard).toContain('"uri":"file:///notes"');
  leave.abort();
  await stream.leave().catch(() => {});
  await eventually(
    async () => JSON.stringify(await call("notes__seen")).includes("resources/unsubscribe"),
    "the server is told",
  );
});

test("an event stream of a server that breaks takes away its own session only", async () => {
  const client = await connect("legacy");
  expect(await namesOf(client)).toContain("old");
  sse.cut();
  await eventually(async () => (await namesOf(client)).has("old"), "it is opened again");
  expect((await client.callTool({ name: "notes__read", arguments: {} })).content).toBeDefined();
});
