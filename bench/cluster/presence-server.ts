import { ANONYMOUS } from "../../src/auth/caller.ts";
import { ClusterCalls } from "../../src/cluster/calls.ts";
import { NatsBus } from "../../src/cluster/nats/nats-bus.ts";
import { Presence } from "../../src/cluster/presence/presence.ts";
import { createSubjects } from "../../src/cluster/subjects.ts";
import type { Claim } from "../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../src/pool/excluded.ts";
import { Pool } from "../../src/pool/pool.ts";
import { parseNatsUrl } from "../../src/settings/nats-url.ts";
import { systemClock } from "../../src/system/clock.ts";
import { silentLog } from "../../src/system/log.ts";
import type { Exchange } from "../../src/tunnel/exchange.ts";
import type { Session } from "../../src/tunnel/session.ts";
import type { HeldSession, SessionWatch } from "../../src/tunnel/session-watch.ts";

// One of several servers that tell each other who is there: workers without sockets, a real pool, and a real nats-server.
// Usage: bun presence-server.ts <url of nats-server> <id> <workers> <models of all servers, or 0 for other ones at each>

/** What the harness asks. Each question is answered with a `PresenceAnswer`. */
export type PresenceQuestion =
  /** Connects the workers. */
  | { readonly do: "connect" }
  /** Joins the others, whom it tells of its workers. */
  | { readonly do: "join" }
  /** Whether one worker leaves and another comes each second, and how many slots are taken or given back every 50 ms. */
  | { readonly do: "run"; readonly hasChurn: boolean; readonly slots: number }
  | { readonly do: "count" };

export interface PresenceAnswer {
  /** Workers of other servers that are known here. */
  readonly known: number;
  /** Wall time, in milliseconds since 1970, at which the number of known workers last grew. */
  readonly grewAt: number;
  /** Milliseconds from each worker's coming until it was known here, since the last answer. */
  readonly delays: readonly number[];
}

const MODELS_EACH = 5;
const SLOTS = 4;
/** The most slots that are held at once, of 4,000. */
const MAX_HELD = 500;
const SLOTS_EVERY_MS = 50;

const [url = "", id = "", workerCount = "0", modelCount = "0"] = process.argv.slice(2);
const nats = parseNatsUrl(url);
if (!nats) throw new Error("the first argument must be the URL of a nats-server");
const now = (): number => performance.timeOrigin + performance.now();

const bus = new NatsBus({
  servers: [nats],
  name: id,
  inboxPrefix: "_INBOX_moorage.bench",
  readCredentials: undefined,
  readAuthority: undefined,
  clock: systemClock,
  log: silentLog,
});
const subjects = createSubjects("bench");
const pool = new Pool({
  clock: systemClock,
  queueSize: 100,
  queueTimeoutMs: 1000,
  modelGraceMs: 60_000,
  serverId: id,
  name: "llm",
});
const held: HeldSession[] = [];
const claims: Claim[] = [];
let delays: number[] = [];
let known = 0;
let grewAt = 0;
let made = 0;
let presence: Presence | undefined;
/** Follows the workers, once this server has joined the others. */
let watch: SessionWatch | undefined;
let stops: (() => void)[] = [];

function modelsOf(worker: number): string[] {
  const all = Number(modelCount);
  return Array.from({ length: MODELS_EACH }, (_, at) =>
    all === 0 ? `vendor/model-${id}-${worker * MODELS_EACH + at}:8b` : `vendor/model-${(worker * 7 + at * 3) % all}:8b`,
  );
}

function createSession(): Session {
  made += 1;
  // The id says when the worker came, so that other servers know how old the news is.
  const workerId = `${id}.${made}.${Math.round(now() * 1000)}`;
  return {
    id: `${id}~${crypto.randomUUID().replaceAll("-", "").slice(0, 22)}`,
    worker: { id: workerId, name: workerId, version: "1.0.0", hostInfo: { backend_family: "vllm" } },
    dialect: "native",
    offer: {
      models: modelsOf(made),
      maxConcurrency: SLOTS,
      embeddingBatchSize: 32,
      status: "ready",
      reason: undefined,
    },
    connectedAt: Date.now(),
    lastHeartbeatAt: Date.now(),
    silentMs: 0,
    telemetry: { cpuPercent: undefined, ramUsedPercent: undefined },
    open: (): Exchange => {
      throw new Error("nothing is sent here");
    },
    close: () => {},
  };
}

function join(): void {
  const calls = new ClusterCalls({ serverId: id, subjects, bus, clock: systemClock, log: silentLog });
  const joined = new Presence({
    serverId: id,
    epoch: `${Date.now()}`,
    own: {
      region: undefined,
      version: "1.0.0",
      keys: () => "0123456789abcdef",
      address: () => "10.0.0.1:8088",
      linkKey: undefined,
      load: () => undefined,
    },
    clock: systemClock,
    log: silentLog,
    bus,
    subject: subjects.gossip,
    calls,
    links: undefined,
    isOwner: () => true,
    modelGraceMs: 60_000,
    startGraceMs: 15_000,
    random: Math.random,
  });
  presence = joined;
  watch = joined.watch("llm");
  joined.join("llm", () => {
    throw new Error("nothing is sent here");
  });
  joined.tellLoad("llm", pool.load);
  const workers = joined.workersOf("llm");
  workers.onMoved((workerId) => {
    if (workers.serverOf(workerId) === undefined) {
      known -= 1;
      return;
    }
    known += 1;
    grewAt = now();
    delays.push(now() - Number(workerId.split(".")[2]) / 1000);
  });
  for (const entry of held) watch.onOpened(entry);
}

/** Connects one worker. */
function come(): void {
  const session = createSession();
  const entry = {
    session,
    claimant: { owner: "key:0123456789abcdef" },
    isLeaving: false,
    canMove: false,
    ping: () => {},
    handOver: () => {},
    drain: () => {},
  };
  held.push(entry);
  pool.onOpened(session);
  watch?.onOpened(entry);
}

/** Lets the oldest worker leave. */
function leave(): void {
  const entry = held.shift();
  if (!entry) return;
  pool.onClosed(entry.session);
  watch?.onClosed(entry);
}

function churn(): void {
  leave();
  come();
}

/** Takes a slot of any model, or gives one back. */
function change(): void {
  if (Math.random() < claims.length / MAX_HELD) {
    const [claim] = claims.splice(Math.floor(Math.random() * claims.length), 1);
    return claim?.release();
  }
  const [model = ""] = modelsOf(Math.floor(Math.random() * made));
  const demand = { model, exact: true, excluded: NONE_EXCLUDED };
  const claim = pool.claim(pool.issueTicket({ caller: ANONYMOUS, demand }, systemClock.elapsed()));
  if (claim) claims.push(claim);
}

process.on("message", (message) => {
  const question = message as PresenceQuestion; // The harness sends nothing else.
  if (question.do === "connect") for (let worker = 0; worker < Number(workerCount); worker += 1) come();
  if (question.do === "join") join();
  if (question.do === "run") {
    for (const stop of stops) stop();
    stops = [];
    if (question.hasChurn) stops.push(systemClock.every(1000, churn));
    const { slots } = question;
    const changeSome = (): void => {
      for (let slot = 0; slot < slots; slot += 1) change();
    };
    if (slots > 0) stops.push(systemClock.every(SLOTS_EVERY_MS, changeSome));
  }
  const answer: PresenceAnswer = { known, grewAt, delays };
  delays = [];
  process.send?.(answer);
});
const ready = systemClock.every(10, () => {
  if (bus.state.kind !== "up") return;
  ready();
  process.send?.({});
});
process.on("disconnect", () => {
  presence?.close();
  process.exit(0);
});
