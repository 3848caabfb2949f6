import { afterAll, beforeAll, expect, test } from "bun:test";
import type { CallJson } from "../../../src/calls/call-text.ts";
import { encodeResponse } from "../../../src/wire/frame.ts";
import { AreaCluster } from "../../support/area-cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { MCP_JSON } from "../../support/mcp-server.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { CLIENT_KEY, type TestServer } from "../../support/test-server.ts";

// Calls of a relay of the server a, by clients of a and b.

let cluster: AreaCluster;
let relay: NativeWorker;

beforeAll(async () => {
  cluster = await AreaCluster.start(["a", "b"], { plugins: ["mcp"], mcpRejoinTimeoutMs: 1000 });
  cluster.follow();
  relay = await NativeWorker.connect({
    url: cluster.at("a").server.url,
    path: "/api/mcp/connect",
    register: { type: undefined, client_key: CLIENT_KEY, id: "tools" },
  });
  await eventually(() => cluster.at("b").server.app.plugins.length > 0, "b has the plugin");
  for (let at = 0; at < 10; at += 1) await call(at % 2 === 0 ? "a" : "b", `tool_${at}`);
}, 30_000);
afterAll(() => cluster.stop());

const serverOf = (id: string): TestServer => cluster.at(id).server;

async function call(at: string, name: string): Promise<void> {
  const response = fetch(`${serverOf(at).url}/api/mcp/id/tools/mcp`, {
    method: "POST",
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } }),
    headers: { "content-type": "application/json" },
  });
  const { id } = await relay.request();
  const body = new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"result":{}}');
  const called = { caller: "ann", name: `${name}_as_the_relay_says` };
  relay.send(encodeResponse(id, { status: 200, headers: MCP_JSON, called }, body, true));
  expect((await response).status).toBe(200);
  await (await response).text();
}

interface Page {
  readonly data: readonly CallJson[];
  readonly next: string | null;
  readonly missing_servers: readonly string[];
}

const read = async (at: string, query = ""): Promise<Page> =>
  (await (await serverOf(at).fetch(`/api/mcp/calls${query}`)).json()) as Page; // the schema of the route

test.each(["a", "b"])(
  "each call is kept once, by the server that its client has called, and %s answers for all",
  async (at) => {
    const { data, missing_servers: missing } = await read(at);
    expect(missing).toEqual([]);
    expect(data.map(({ name }) => name)).toEqual(
      Array.from({ length: 10 }, (_, each) => `tool_${9 - each}_as_the_relay_says`),
    );
    for (const { name, server, relay_server: through, relay_caller: caller } of data) {
      const isOfA = Number(name?.split("_")[1]) % 2 === 0;
      expect([server, through, caller]).toEqual(isOfA ? ["a", null, "ann"] : ["b", "a", "ann"]);
    }
  },
);

test("pages over both servers have each call once", async () => {
  const names: unknown[] = [];
  let after = "";
  for (let page = 0; page < 10; page += 1) {
    const { data, next } = await read("b", `?limit=3${after}`);
    names.push(...data.map(({ name }) => name));
    if (next === null) break;
    after = `&after=${encodeURIComponent(next)}`;
  }
  expect(names).toHaveLength(10);
  expect(new Set(names).size).toBe(10);
});

test("an export has the calls of both servers, and names a server that does not answer", async () => {
  const whole = await serverOf("b").fetch("/api/mcp/calls?format=jsonl");
  expect(whole.headers.get("x-moorage-missing-servers")).toBeNull();
  expect((await whole.text()).trimEnd().split("\n")).toHaveLength(10);
  cluster.at("a").links.close("cut");
  await eventually(async () => (await read("b")).missing_servers.includes("a"), "a is missing");
  const part = await serverOf("b").fetch("/api/mcp/calls?format=jsonl");
  expect(part.headers.get("x-moorage-missing-servers")).toBe("a");
  expect((await part.text()).trimEnd().split("\n")).toHaveLength(5);
});
