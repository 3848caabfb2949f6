import { expect, test } from "bun:test";
import { createModelGreeting } from "../../../src/models/greeting.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { WorkerEndpoint } from "../../../src/tunnel/endpoint.ts";
import type { OwnerListener, OwnerRecords } from "../../../src/tunnel/owners.ts";
import type { Session } from "../../../src/tunnel/session.ts";
import type { HeldSession, SessionWatch } from "../../../src/tunnel/session-watch.ts";
import type { SocketHandlers, WorkerSocket } from "../../../src/tunnel/sockets.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { legacyLimits } from "../../support/legacy-limits.ts";
import { turn } from "../../support/turn.ts";

/** An endpoint whose sockets only record what is sent and how they are closed. */
function setUp(watch?: SessionWatch, ownerRecords?: OwnerRecords) {
  const opened: Session[] = [];
  const clock = new FakeClock();
  const owners = new Set(["o"]);
  const endpoint = new WorkerEndpoint({
    deps: { clock, ids: systemIds, log: silentLog },
    greeting: createModelGreeting(legacyLimits(1000)),
    pool: { onOpened: (session) => opened.push(session), onOfferChange: () => {}, onClosed: () => {} },
    serverId: "s1",
    watch,
    ownerRecords,
    isOwner: (owner) => owners.has(owner),
    isBlocked: () => false,
    limits: { registerTimeoutMs: 1000, windowBytes: 1000, pingIntervalMs: 1000, confirmTimeoutMs: 1000 },
  });
  const connect = (dialect: "native" | "legacy" = "native") => {
    const closes: string[] = [];
    const texts: unknown[] = [];
    const socket = {
      send: (text: string) => {
        texts.push(JSON.parse(text));
        return 1;
      },
      ping: () => 1,
      cork: (write: () => void) => write(),
      close: (code: number, reason: string) => closes.push(`${code} ${reason}`),
    };
    const ws = socket as unknown as WorkerSocket; // The endpoint calls nothing else of it here.
    let handlers: SocketHandlers | undefined;
    void endpoint.upgrade(
      new Request("http://localhost/", {
        headers: {
          upgrade: "websocket",
          ...(dialect === "native" ? { "sec-websocket-protocol": "moorage.v1" } : {}),
        },
      }),
      {
        upgrade: (_request, { data }) => {
          handlers = data as SocketHandlers; // What an endpoint puts there.
          return true;
        },
      },
      {
        address: "192.0.2.1",
        join: () => Promise.reject(new Error("nobody joins here")),
        admit: () => ({ ok: true, owner: "o", caller: "client-key:1" }),
      },
    );
    handlers?.open(ws);
    return {
      closes,
      texts,
      register: () => handlers?.message(ws, JSON.stringify({ type: "register", worker_id: "w" })),
    };
  };
  return { endpoint, opened, connect, clock, owners };
}

test("an endpoint supplies a session for each worker that registers", () => {
  const { opened, connect } = setUp();
  connect().register();
  expect(opened.map(({ worker }) => worker.id)).toEqual(["w"]);
});

test.each([
  ["drains", (endpoint: WorkerEndpoint) => endpoint.drain("restart")],
  ["is closed", (endpoint: WorkerEndpoint) => endpoint.close({ code: 1012, reason: "restart" })],
])("a socket that was open when its endpoint %s can no longer register", (_what, stop) => {
  const { endpoint, opened, connect } = setUp();
  const { register, closes } = connect();
  stop(endpoint);
  register();
  expect(opened).toEqual([]);
  expect(closes).toEqual(["1013 draining"]);
});

test("a worker whose key is removed between its opening and its registration is refused", () => {
  const { endpoint, opened, connect, owners } = setUp();
  const { register, closes } = connect();
  owners.clear();
  expect(endpoint.closeDisowned()).toBe(0);
  register();
  expect(opened).toEqual([]);
  expect(closes).toEqual(["1008 client key removed"]);
});

test("a legacy agent whose key is removed while its id is searched is refused", () => {
  const { endpoint, opened, connect, owners, clock } = setUp();
  connect("legacy").register();
  const second = connect("legacy");
  second.register();
  expect(opened).toHaveLength(1);
  owners.clear();
  expect(endpoint.closeDisowned()).toBe(1);
  clock.advance(10_000);
  expect(opened).toHaveLength(1);
  expect(second.closes).toEqual(["1008 client key removed"]);
});

test("a watch follows each session from its opening to its end, and hears once that its worker was told to leave", () => {
  const events: string[] = [];
  const note = (event: string) => (held: HeldSession) =>
    events.push(`${event} ${held.session.worker.id} ${held.claimant.owner} ${held.isLeaving}`);
  const { endpoint, connect } = setUp({
    mayClaim: () => true,
    holderOf: () => undefined,
    onOpened: note("opened"),
    onLeaving: note("leaving"),
    onClosed: note("closed"),
  });
  connect().register();
  endpoint.handOver("update");
  endpoint.drain("update");
  endpoint.close({ code: 1012, reason: "restart" });
  expect(events).toEqual(["opened w o false", "leaving w o true", "closed w o true"]);
});

/** An endpoint, and its sessions in the order in which they were opened, as other servers hear of them. */
function setUpHeld() {
  const held: HeldSession[] = [];
  const rig = setUp({
    mayClaim: () => true,
    holderOf: () => undefined,
    onOpened: (each) => held.push(each),
    onLeaving: () => {},
    onClosed: () => {},
  });
  return { held, ...rig };
}

test("a worker that was told to connect again and comes back here is told to leave its older session, which stays open", async () => {
  const { held, connect } = setUpHeld();
  const first = connect();
  first.register();
  const [before] = held;
  expect([before?.canMove, before?.isLeaving]).toEqual([true, false]);
  before?.handOver("others have fewer");
  expect([before?.isLeaving, before?.session.offer.status]).toEqual([true, "ready"]);
  await turn();
  expect(first.texts.at(-1)).toMatchObject({ type: "handover", retry_after_ms: 0 });
  connect().register();
  expect(before?.session.offer.status).toBe("draining");
  await turn();
  expect(first.texts.at(-1)).toMatchObject({ type: "drain" });
  expect(first.closes).toEqual([]);
  expect(held[1]?.session.offer.status).toBe("ready");
});

test("a legacy agent cannot be told to connect again", () => {
  const { held, connect } = setUpHeld();
  connect("legacy").register();
  expect(held.map(({ canMove }) => canMove)).toEqual([false]);
});

test("an id that the watch denies is refused like one of another key", () => {
  const { opened, connect } = setUp({
    mayClaim: () => false,
    holderOf: () => undefined,
    onOpened: () => {},
    onLeaving: () => {},
    onClosed: () => {},
  });
  const { register, closes } = connect();
  register();
  expect(opened).toEqual([]);
  expect(closes[0]).toStartWith("1008 id in use");
});

test("a worker whose id turns out to belong to another key is disconnected", () => {
  let listener: OwnerListener | undefined;
  const { connect, opened } = setUp(undefined, {
    load: () => [],
    save: () => {},
    remove: () => {},
    watch: (given) => {
      listener = given;
    },
  });
  const { closes, register } = connect();
  register();
  const { id = "" } = opened[0]?.worker ?? {};
  listener?.saved({ id, owner: "o", isMade: false, leftAt: 5 });
  expect(closes).toEqual([]);
  listener?.saved({ id, owner: "another", isMade: false, leftAt: 5 });
  expect(closes).toEqual([expect.stringContaining("1008 id in use")]);
});
