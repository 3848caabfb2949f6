import "../../../support/seed.ts";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { ANONYMOUS } from "../../../../src/auth/caller.ts";
import type { Claim } from "../../../../src/pool/claim.ts";
import { NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import type { Clock } from "../../../../src/system/deps.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { PresenceRig, type RigServer } from "../../../support/presence-rig.ts";
import { times } from "../../../support/times.ts";

// A cluster in bad weather: messages are lost, repeated, late and out of order, the network is cut into parts, and servers are
// killed and restarted, while workers come and go. When all is quiet again, every server must know the truth.

const MODELS = ["m", "n", "llama3:8b"];
type ValueOf<T> = T extends fc.Arbitrary<infer V> ? V : never;

/** Enough for suspicion, the end of every question, and a repair after the next beat. */
const QUIET_MS = 9000;

const indexes = { server: fc.nat(6), worker: fc.nat(5) };
const offer = { models: fc.subarray(MODELS, { minLength: 1 }), slots: fc.integer({ min: 1, max: 3 }) };

const actions = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("connect" as const), ...indexes, ...offer, owner: fc.nat(1) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("leave" as const), ...indexes }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("offer" as const), ...indexes, ...offer }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("tell to leave" as const), ...indexes }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("claim" as const), ...indexes, model: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("release" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), ...indexes, inOrder: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("partition" as const), side: fc.uniqueArray(fc.nat(6)) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("heal" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("disconnect" as const), ...indexes }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.oneof(fc.nat(60), fc.nat(6000)) }) },
);
type Action = ValueOf<typeof actions>;

const weather = fc.record({
  loss: fc.constantFrom(0, 0.05, 0.4),
  repeats: fc.constantFrom(0, 0.3),
  shuffles: fc.boolean(),
  delayMs: fc.constantFrom([0, 0], [1, 30], [0, 800]) as fc.Arbitrary<[number, number]>,
});

interface Course {
  readonly servers: number;
  readonly actions: readonly Action[];
  readonly weather: ValueOf<typeof weather>;
  readonly seed: number;
  /** By how many milliseconds each server's wall clock is ahead. */
  readonly ahead: readonly number[];
  readonly oneOwner: boolean;
}

const courses = (oneOwner: boolean): fc.Arbitrary<Course> =>
  fc.record({
    servers: fc.integer({ min: 2, max: 7 }),
    actions: fc.array(actions, { maxLength: 40 }),
    weather,
    seed: fc.nat(),
    ahead: fc.array(fc.constantFrom(0, 0, 3_600_000, -3_600_000), { minLength: 7, maxLength: 7 }),
    oneOwner: fc.constant(oneOwner),
  });

/** A generator of numbers from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Lets a cluster go through a course and then through a quiet time. Returns its servers, and the ids of workers before it. */
async function goThrough(course: Course) {
  const rig = new PresenceRig(new FakeClock(), randomFrom(course.seed));
  const ids = Array.from({ length: course.servers }, (_, at) => `s${at}`);
  const clockOf = (at: number): Clock => ({
    now: () => rig.clock.now() + (course.ahead[at] ?? 0),
    elapsed: () => rig.clock.elapsed(),
    after: (ms, callback) => rig.clock.after(ms, callback),
    every: (ms, callback) => rig.clock.every(ms, callback),
  });
  const start = (at: number): RigServer => rig.start(`s${at}`, { clock: clockOf(at) });
  for (const at of ids.keys()) start(at);
  await rig.run(100);
  Object.assign(rig.network.weather, course.weather);
  const claims: Claim[] = [];
  for (const action of course.actions) {
    const at = "server" in action ? action.server % course.servers : 0;
    const server = rig.servers.get(`s${at}`);
    if (!server) continue;
    const workerId = "worker" in action ? `w${action.worker}` : "";
    const session = [...server.sessions].find(({ worker }) => worker.id === workerId);
    switch (action.do) {
      case "connect":
        server.connect({ ...action, id: workerId, owner: course.oneOwner ? "o" : `o${action.owner}` });
        break;
      case "leave":
        session?.vanish();
        break;
      case "offer":
        session?.changeOffer({ models: action.models, maxConcurrency: action.slots });
        break;
      case "tell to leave":
        if (session) server.tellToLeave(session);
        break;
      case "claim": {
        const demand = { model: MODELS[action.model] ?? "m", exact: true, workerId, excluded: NONE_EXCLUDED };
        if (!session?.offer.models.includes(demand.model)) break;
        const claim = server.pool.claim(server.pool.issueTicket({ caller: ANONYMOUS, demand }, rig.clock.elapsed()));
        if (claim) claims.push(claim);
        break;
      }
      case "release":
        claims.pop()?.release();
        break;
      case "restart":
        if (action.inOrder) server.close();
        else server.kill();
        start(at);
        break;
      case "partition": {
        const side = new Set(action.side.map((index) => `s${index}`));
        rig.network.partition(
          ids.filter((id) => side.has(id)),
          ids.filter((id) => !side.has(id)),
        );
        break;
      }
      case "heal":
        rig.network.heal();
        break;
      case "disconnect":
        if (server.bus.state.kind === "up") server.bus.disconnect();
        else server.bus.reconnect();
        break;
      case "wait":
        await rig.run(action.ms, 20);
        break;
      default:
        action satisfies never;
    }
  }
  const before = new Set([...rig.servers.values()].flatMap(({ workerIds }) => workerIds));
  Object.assign(rig.network.weather, { loss: 0, repeats: 0, shuffles: false, delayMs: [0, 5] });
  rig.network.heal();
  for (const { bus } of rig.servers.values()) if (bus.state.kind === "down") bus.reconnect();
  await rig.run(QUIET_MS, 20);
  return { rig, servers: [...rig.servers.values()], before };
}

test("after any loss, delay, repetition, disorder, partition and restart, all servers know the truth", async () => {
  await fc.assert(
    fc.asyncProperty(courses(false), async (course) => {
      const { rig, servers } = await goThrough(course);
      for (const server of servers) {
        const others = servers.filter((other) => other !== server);
        expect(server.presence.members.ids().toSorted()).toEqual(others.map(({ id }) => id).toSorted());
        for (const other of others) expect(server.knownOf(other.id)).toEqual(other.truth);
        const workers = others.flatMap(({ workerIds }) => workerIds);
        expect(server.directory.size).toBe(workers.length);
        expect(workers.filter((id) => server.directory.serverOf(id) === undefined)).toEqual([]);
        expect(server.presence.isSettled).toBe(true);
      }
      rig.close();
    }),
    { numRuns: times(100) },
  );
}, 120_000);

test("of several sessions of one id at most one stays that was not told to leave, and all servers know which", async () => {
  await fc.assert(
    fc.asyncProperty(courses(false), async (course) => {
      const { rig, servers } = await goThrough(course);
      for (const [id, holders] of holdersIn(servers)) {
        expect(holders.length).toBeLessThanOrEqual(1);
        for (const server of servers) {
          const [holder = server.id] = holders;
          if (server.id !== holder) expect(server.directory.serverOf(id)).toBe(holder);
        }
      }
      rig.close();
    }),
    { numRuns: times(100) },
  );
}, 120_000);

test("of several sessions of one id and one owner exactly one stays that was not told to leave", async () => {
  await fc.assert(
    fc.asyncProperty(courses(true), async (course) => {
      const { rig, servers, before } = await goThrough(course);
      const holders = holdersIn(servers);
      const leaving = new Set(servers.flatMap(({ leavingIds }) => leavingIds));
      for (const id of before) if (!leaving.has(id)) expect(holders.get(id)?.length).toBe(1);
      rig.close();
    }),
    { numRuns: times(100) },
  );
}, 120_000);

/** The servers at which each id has a session that was not told to leave. */
function holdersIn(servers: readonly RigServer[]): ReadonlyMap<string, readonly string[]> {
  const holders = new Map<string, string[]>();
  for (const server of servers) {
    for (const id of server.stayingIds) holders.set(id, [...(holders.get(id) ?? []), server.id]);
  }
  return holders;
}
