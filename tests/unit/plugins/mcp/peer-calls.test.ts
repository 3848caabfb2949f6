import { describe, expect, test } from "bun:test";
import { createMetrics } from "../../../../src/figures/metrics.ts";
import { McpArea } from "../../../../src/plugins/mcp/mcp-area.ts";
import { createPeerCalls } from "../../../../src/plugins/mcp/peer-calls.ts";
import { systemIds } from "../../../../src/system/ids.ts";
import { silentLog } from "../../../../src/system/log.ts";
import type { ExchangeEnd, ExchangeSink } from "../../../../src/tunnel/exchange.ts";
import type { Admitted } from "../../../../src/tunnel/peer-handler.ts";
import type { RequestHead, ResponseHead } from "../../../../src/wire/heads.ts";
import { INVENTORY_PATH } from "../../../../src/wire/mcp-inventory.ts";
import { METADATA_PATH } from "../../../../src/wire/mcp-metadata.ts";
import type { PeerOrder } from "../../../../src/wire/peer-heads.ts";
import { defaultConfig } from "../../../support/default-config.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { ScriptedSource } from "../../../support/scripted-source.ts";

const JSON_HEAD: ResponseHead = { status: 200, headers: [["content-type", "application/json"]] };
const EVENTS_HEAD: ResponseHead = { status: 200, headers: [["content-type", "text/event-stream"]] };
const RESULT = '{"jsonrpc":"2.0","id":1,"result":{}}';

function setUp(settings: { mcpMaxCalls?: number; mcpMaxStreams?: number } = {}) {
  const clock = new FakeClock();
  const sessions = new ScriptedSource(clock);
  const area = new McpArea({
    config: defaultConfig(settings),
    deps: { clock, ids: systemIds, log: silentLog },
    metrics: createMetrics("1"),
    sessions,
    auth: { connectors: { isReady: true } },
  });
  const handler = createPeerCalls(area, clock);
  const [intake] = sessions.intakes;
  if (!intake) throw new Error("the area asked for no intake");
  const session = intake.join("files", [], 1);
  const admit = (order: Partial<PeerOrder> = {}, head: Partial<RequestHead> = {}) =>
    handler.admit({
      peerId: "b",
      head: { kind: "relay", method: "POST", path: "/", headers: [], resource: "https://mcp.test/files", ...head },
      order: {
        plugin: "mcp",
        model: "",
        exact: false,
        worker: "files",
        request_id: "r1",
        call: { method: "tools/call", name: "read", listens: false },
        ...order,
      },
    });
  return { clock, area, session, admit };
}

/** Opens an admitted call and plays the link, which records what the other server gets. */
function open(admitted: ReturnType<ReturnType<typeof setUp>["admit"]>, head: Partial<RequestHead> = {}) {
  if (!admitted.ok) throw new Error(`refused: ${admitted.message}`);
  const call: Admitted = admitted;
  const seen: unknown[] = [];
  let answer: ResponseHead | undefined;
  const sink: ExchangeSink = {
    onHead: (each) => {
      answer = each;
      seen.push(each.status);
    },
    onData: (bytes) => void seen.push(Buffer.from(bytes).toString()),
    onEnd: (end: ExchangeEnd) => {
      seen.push(end.kind === "broken" ? end.code : end.kind);
      call.onEnd(end, answer, false);
    },
    onSettled: () => {
      seen.push("settled");
      call.onSettled();
    },
  };
  const request = {
    head: { kind: "relay", method: "POST", path: "/", headers: [], resource: "https://mcp.test/files", ...head },
    body: new Uint8Array(0),
  };
  return { exchange: call.open(request, sink), seen, worker: call.worker };
}

describe("a call of a client of another server", () => {
  test("passes through the relay, and is counted like a call of an own client", () => {
    const { area, session, admit } = setUp();
    const { seen, worker } = open(admit());
    expect(worker).toMatchObject({ id: "files", session: session.id });
    expect(area.state().relays).toMatchObject([{ id: "files", calls_inflight: 1 }]);
    expect(area.state().sessions).toMatchObject([{ id: "r1", client_id: "files", method: "tools/call" }]);
    const exchange = session.exchanges[0];
    exchange?.head({ ...JSON_HEAD, headers: [...JSON_HEAD.headers, ["mcp-session-id", "s1"]] });
    exchange?.data(Buffer.from(RESULT));
    exchange?.end();
    expect(seen).toEqual([200, RESULT, "complete", "settled"]);
    const state = area.state();
    expect(state.relays).toMatchObject([
      { calls_inflight: 0, served_total: 1, failures_total: 0, sessions: 1, methods: { "tools/call": 1 } },
    ]);
    expect(state.functions).toMatchObject([{ relay: "files", name: "read", calls: 1, failures: 0 }]);
    // The other server counts the request of its client.
    expect(state.methods).toEqual({});
  });

  test("is a call of the relay's own kind, without what only servers need", () => {
    const { session, admit } = setUp();
    open(admit());
    expect(session.exchanges[0]?.request.head).toEqual({ method: "POST", path: "/", headers: [] });
  });

  test("tells a relay whose clients sign in with OAuth by which URL they know it", () => {
    const { session, admit } = setUp();
    Object.assign(session.worker.hostInfo, { auth: "oauth" });
    open(admit());
    expect(session.exchanges[0]?.request.head).toMatchObject({ resource: "https://mcp.test/files" });
  });

  test("that fails is a failure of the relay and of the function", () => {
    const { area, session, admit } = setUp();
    const { seen } = open(admit());
    session.exchanges[0]?.head(JSON_HEAD);
    session.exchanges[0]?.data(Buffer.from('{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no"}}'));
    session.exchanges[0]?.end();
    open(admit());
    session.exchanges[1]?.breakOff("upstream_unreachable");
    expect(seen.at(-2)).toBe("complete");
    expect(area.state().functions).toMatchObject([{ name: "read", calls: 2, failures: 2 }]);
    expect(area.state().relays).toMatchObject([
      { served_total: 1, failures_total: 1, last_error: "upstream_unreachable", status: "broken" },
    ]);
  });

  test("that the other server gives up is given up at the relay, and holds its place until the relay confirms", () => {
    const { area, session, admit } = setUp();
    const { exchange, seen } = open(admit());
    exchange.cancel("canceled");
    expect(session.exchanges[0]?.cancelled).toEqual(["canceled"]);
    expect(seen).toEqual(["canceled"]);
    expect(area.state().relays).toMatchObject([{ calls_inflight: 1 }]);
    session.exchanges[0]?.confirm();
    expect(area.state().relays).toMatchObject([{ calls_inflight: 0, failures_total: 0 }]);
  });

  test("is refused beyond the places of the relay, which both servers' clients share", () => {
    const { session, admit } = setUp({ mcpMaxCalls: 1 });
    const first = open(admit());
    expect(admit()).toMatchObject({ ok: false, code: "too_many_calls" });
    expect(admit({ call: { method: "GET", listens: true } }).ok).toBe(true);
    session.exchanges[0]?.head(JSON_HEAD);
    session.exchanges[0]?.end();
    expect(first.seen.at(-1)).toBe("settled");
    expect(admit().ok).toBe(true);
  });

  test("that the relay itself refuses as busy fails, and is not looked for elsewhere", () => {
    const { session, admit } = setUp();
    const { seen } = open(admit());
    session.exchanges[0]?.breakOff("busy");
    expect(seen).toEqual(["too_many_calls", "settled"]);
  });

  test.each([
    ["another relay", { worker: "tools" }],
    ["no relay", { worker: undefined }],
  ])("for %s is refused as one that nobody has seen", (_what, order) => {
    expect(setUp().admit(order)).toMatchObject({ ok: false, code: "busy", free: 0 });
  });

  test("is refused while an operator keeps calls from the relay, and while this server shuts down", async () => {
    const { area, admit } = setUp();
    area.workers.drainWorker("files", true, "admin-key:1");
    expect(admit()).toMatchObject({ ok: false, code: "busy", free: 0 });
    area.workers.drainWorker("files", false, "admin-key:1");
    expect(admit().ok).toBe(true);
    void area.drain();
    expect(admit()).toMatchObject({ ok: false, code: "busy", free: 0 });
  });

  test("is counted under `other` if the other server knows methods that this one does not", () => {
    const { area, session, admit } = setUp();
    open(admit({ call: { method: "made/up", listens: false } }));
    open(admit({ call: undefined }));
    for (const exchange of session.exchanges) {
      exchange.head(JSON_HEAD);
      exchange.end();
    }
    expect(area.state().relays).toMatchObject([{ methods: { other: 2 } }]);
  });

  test("that only listens ends in order when this server shuts down", async () => {
    const { area, session, admit } = setUp();
    const listening = { call: { method: "GET", listens: true } };
    const [begun, quiet] = [open(admit(listening)), open(admit(listening))];
    session.exchanges[0]?.head(EVENTS_HEAD);
    let isDrained = false;
    const drained = area.drain().then(() => {
      isDrained = true;
    });
    expect(begun.seen).toEqual([200, "complete"]);
    expect(quiet.seen).toEqual(["draining"]);
    expect(session.exchanges.map(({ cancelled }) => cancelled)).toEqual([["canceled"], ["canceled"]]);
    await Promise.resolve();
    expect(isDrained).toBe(false);
    for (const exchange of session.exchanges) exchange.confirm();
    await drained;
    expect([begun.seen.at(-1), quiet.seen.at(-1)]).toEqual(["settled", "settled"]);
  });

  test("for metadata of a relay that checks a token of its own is answered 404, and never reaches it", async () => {
    const { area, session, admit } = setUp();
    const { seen } = open(admit({ call: { method: "metadata", listens: false } }, { path: METADATA_PATH }), {
      path: METADATA_PATH,
    });
    expect(seen).toEqual([]);
    await Promise.resolve();
    expect(seen).toEqual([404, expect.stringContaining("has no OAuth metadata"), "complete", "settled"]);
    expect(session.exchanges).toEqual([]);
    expect(area.state().relays).toMatchObject([{ calls_inflight: 0, methods: { metadata: 1 } }]);
  });
});

describe("another server that asks for an inventory", () => {
  const forCaller = { method: "GET", path: INVENTORY_PATH, caller: { name: "key:ann", rules: { tools: ["read"] } } };

  test("gets it for a caller whom the relay serves, and for an operator", () => {
    const { session, admit } = setUp();
    Object.assign(session.worker.hostInfo, { auth: "connector", restricts: "true" });
    Object.assign(session.offer, { tenants: ["research"] });
    expect(admit({ tenant: "research" }, forCaller).ok).toBe(true);
    expect(admit({}, { method: "GET", path: INVENTORY_PATH }).ok).toBe(true);
  });

  test.each([
    ["of another tenant", { auth: "connector", restricts: "true" }, ["research"]],
    ["with rules, from a relay that cannot restrict its callers", { auth: "connector" }, undefined],
    ["from a relay that is no connector", { auth: "none" }, undefined],
  ])("does not get it for a caller %s", (_what, info, tenants) => {
    const { session, admit } = setUp();
    Object.assign(session.worker.hostInfo, info);
    Object.assign(session.offer, { tenants });
    expect(admit({ tenant: "sales" }, forCaller)).toMatchObject({ ok: false, code: "busy", free: 0 });
  });
});
