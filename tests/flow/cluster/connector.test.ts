import { afterEach, beforeEach, expect, test } from "bun:test";
import { KeyBook } from "../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import type { KeyTerms } from "../../../src/keys/key-terms.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { eventually } from "../../support/eventually.ts";
import { MCP_JSON } from "../../support/mcp-server.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { ServerCluster } from "../../support/server-cluster.ts";
import { CLIENT_KEY } from "../../support/test-server.ts";

const BY = { by: "admin-key:1" };
const PATH = "/api/mcp/id/tools/mcp";
const LIST = { jsonrpc: "2.0", id: 7, method: "tools/list" };
const RESULT = '{"jsonrpc":"2.0","id":7,"result":{"tools":[]}}';

let book: KeyBook;
let cluster: ServerCluster;

beforeEach(async () => {
  book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  cluster = await ServerCluster.start(
    ["a", "b"],
    { plugins: ["mcp"], mcpRejoinTimeoutMs: 500 },
    {},
    {
      book,
      isKept: true,
      file: undefined,
    },
  );
});
afterEach(async () => {
  for (const { server } of cluster.members) await server.stop();
});

const make = (terms: Partial<KeyTerms> = {}) =>
  book.create({ kind: "client", terms: { name: "ann", limits: {}, ...terms } }, BY);

/** Connects a relay to server a, of which server b knows when this resolves. */
async function relayAtA(info: object, clientKey = CLIENT_KEY): Promise<NativeWorker> {
  const relay = await NativeWorker.connect({
    url: cluster.at("a").server.url,
    path: "/api/mcp/connect",
    register: { type: undefined, client_key: clientKey, id: "tools", info },
  });
  await eventually(() => cluster.at("b").cluster.ports.workersOf("mcp").serverOf("tools") === "a");
  return relay;
}

function ask(key: string | undefined, server = "b"): Promise<Response> {
  const bearer: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  return fetch(`${cluster.at(server).server.url}${PATH}`, {
    method: "POST",
    body: JSON.stringify(LIST),
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...bearer },
  });
}

const codeOf = async (response: Response): Promise<string> => {
  const { error } = (await response.json()) as { error: { data: { code: string } } }; // as all JSON-RPC errors of the server
  return `${response.status} ${error.data.code}`;
};

test("the server that a client asks lets it in to a relay of another server, which gets its name and not its key", async () => {
  const relay = await relayAtA({ auth: "connector", restricts: true });
  const open = await ask(undefined);
  expect(open.status).toBe(401);
  expect(open.headers.get("www-authenticate")).toContain(`/.well-known/oauth-protected-resource${PATH}`);
  const { entry, text } = make({ mcp: { tools: ["read_*"] } });
  const answer = ask(text);
  const { id, head } = await relay.request();
  expect(head.caller).toEqual({ name: `key:${entry.id}`, rules: { tools: ["read_*"] } });
  expect(JSON.stringify(head)).not.toContain(text);
  relay.head(id, 200, MCP_JSON, RESULT, true);
  const response = await answer;
  expect(response.headers.get("cache-control")).toBe("private, no-store");
  expect(await response.text()).toBe(RESULT);
});

test("what a key may not do at a relay of another server is refused where the client asks", async () => {
  const relay = await relayAtA({ auth: "connector" });
  expect(await codeOf(await ask(make({ mcp: { tools: ["read_*"] } }).text))).toBe("403 relay_cannot_restrict");
  expect(await codeOf(await ask(make({ mcp: { relays: ["x"] } }).text))).toBe("403 relay_not_allowed");
  expect(relay.frames.waiting).toBe(0);
});

test("tenants of a relay's key hold at every server", async () => {
  const own = book.create({ kind: "worker", terms: { name: "w", limits: {}, tenants: ["research"] } }, BY).text;
  const relay = await relayAtA({ auth: "connector", restricts: true }, own);
  expect(await codeOf(await ask(make().text))).toBe("403 relay_not_allowed");
  const answer = ask(make({ tenant: "research" }).text);
  relay.head((await relay.request()).id, 200, MCP_JSON, RESULT, true);
  expect((await answer).status).toBe(200);
});

test("a revoked key ends its calls of another server's relay", async () => {
  const relay = await relayAtA({ auth: "connector", restricts: true });
  const { entry, text } = make();
  const call = ask(text);
  const running = await relay.request();
  book.revoke(entry.id, BY);
  const reset = await relay.reset();
  expect(reset).toMatchObject({ id: running.id });
  relay.breakOff(running.id, "canceled");
  expect(await codeOf(await call)).toBe("401 key_revoked");
});

test("a key's limit on calls at once counts over all servers", async () => {
  const relay = await relayAtA({ auth: "connector", restricts: true });
  const { text } = make({ mcp: { parallel: 1 } });
  const first = ask(text, "a");
  const running = await relay.request();
  await eventually(async () => {
    const second = ask(text, "b");
    const refused = await Promise.race([second.then(({ status }) => status), relay.request().then((each) => each)]);
    if (refused === 429) return true;
    // The count had not arrived.
    if (typeof refused !== "number") relay.head(refused.id, 200, MCP_JSON, RESULT, true);
    return false;
  });
  relay.head(running.id, 200, MCP_JSON, RESULT, true);
  expect((await first).status).toBe(200);
});
