import { expect, test } from "bun:test";
import { PeerGroup, type PeerSight } from "../../../../src/cluster/copies/peer-group.ts";
import { PeerWorkers } from "../../../../src/cluster/copies/peer-workers.ts";
import { RemoteDirectory } from "../../../../src/cluster/copies/remote-directory.ts";
import type { GroupRow, WorkerRow } from "../../../../src/cluster/gossip/rows.ts";
import { NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { ScriptedExchange } from "../../../support/scripted-session.ts";

const NEEDS = { excluded: NONE_EXCLUDED };

/** A directory of peers that a test describes. */
function setUp(random: () => number = () => 0) {
  const clock = new FakeClock();
  const workers = new PeerWorkers(clock);
  const directory = new RemoteDirectory({
    pluginId: "llm",
    clock,
    workers,
    graceMs: 60_000,
    random,
    isSettled: () => true,
    use: () => ({
      open: ({ request }, sink) => new ScriptedExchange(request, sink, clock),
      progress: () => {},
      count: () => {},
      release: () => {},
      refuse: () => {},
    }),
  });
  const peers = new Map<string, { -readonly [K in keyof PeerSight]: PeerSight[K] }>();
  const peer = (id: string) => {
    const known = peers.get(id) ?? { id, takesJobs: true, isReachable: true, isNear: false, rttMs: 10 };
    peers.set(id, known);
    return known;
  };
  let number = 0;
  /** Lets a peer tell of a group with one worker of two slots, or more. */
  const add = (server: string, model: string, free: number, changes: Partial<GroupRow> & { workers?: number } = {}) => {
    number += 1;
    const { workers: size = 1, ...row } = changes;
    const group = new PeerGroup(peer(server), {
      number,
      plugin: "llm",
      model,
      sentAs: undefined,
      kinds: undefined,
      hostInfo: {},
      ...row,
    });
    directory.add(group);
    const tell = (now: number): void =>
      group.update([group.row.number, size, 2 * size, now, 0, 0, 0, 0], clock.elapsed());
    tell(free);
    return { group, tell };
  };
  const connect = (server: string, id: string, group: PeerGroup, changes: Partial<WorkerRow> = {}): void => {
    const row: WorkerRow = {
      plugin: "llm",
      id,
      session: `${server}~${id}`,
      owner: "o",
      since: 1,
      at: 1,
      was: undefined,
      isLeaving: false,
      groups: [group.row.number],
      ...changes,
    };
    workers.add({ peer: peer(server), row });
  };
  const chosen = (model = "m", needs = {}) => directory.choose(model, { ...NEEDS, ...needs });
  return { clock, directory, workers, peer, add, connect, chosen };
}

test("the peer with the most free slots is chosen, near ones before all others", () => {
  const { peer, add, chosen } = setUp();
  add("a", "m", 1);
  add("b", "m", 2);
  expect(chosen()?.server).toBe("b");
  peer("a").isNear = true;
  expect(chosen()?.server).toBe("a");
});

test("among equals each is chosen as often", () => {
  let seed = 1;
  const { add, chosen } = setUp(() => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  });
  for (const id of ["a", "b", "c"]) add(id, "m", 1);
  const counts = new Map<string, number>();
  for (let time = 0; time < 3000; time += 1) {
    const server = chosen()?.server ?? "";
    counts.set(server, (counts.get(server) ?? 0) + 1);
  }
  for (const id of ["a", "b", "c"]) expect(Math.abs((counts.get(id) ?? 0) - 1000)).toBeLessThan(150);
});

test("slots that were taken here since the peer told of them do not count", () => {
  const { add, chosen, clock } = setUp();
  const { tell } = add("a", "m", 2);
  const [first, second] = [chosen()?.hold(), chosen()?.hold()];
  expect(chosen()).toBeUndefined();
  first?.release();
  expect(chosen()?.server).toBe("a");
  clock.advance(100);
  // The peer has counted the second job, which was sent long ago.
  tell(1);
  second?.release();
  expect(chosen()?.hold()).toBeDefined();
  expect(chosen()).toBeUndefined();
});

test("a job that is still on its way when the peer tells of its slots counts on top", () => {
  const { add, chosen, clock } = setUp();
  const { tell } = add("a", "m", 2);
  chosen()?.hold();
  clock.advance(5);
  tell(1);
  expect(chosen()).toBeUndefined();
  clock.advance(20);
  tell(1);
  expect(chosen()?.server).toBe("a");
});

test("a peer that has refused a job is left alone for a moment, or until it tells of a free slot", () => {
  const { add, chosen, clock } = setUp();
  const { tell } = add("a", "m", 2);
  chosen()?.hold().refuse();
  expect(chosen()).toBeUndefined();
  clock.advance(250);
  expect(chosen()?.server).toBe("a");
  chosen()?.hold().refuse();
  tell(1);
  expect(chosen()?.server).toBe("a");
});

test("a peer that cannot be reached gets no jobs, but its models are served", () => {
  const { peer, add, chosen, directory } = setUp();
  add("a", "m", 2);
  peer("a").isReachable = false;
  expect(chosen()).toBeUndefined();
  expect([...directory.servedModels()]).toEqual(["m"]);
  expect(directory.isReady("m", NEEDS)).toBe(true);
  peer("a").takesJobs = false;
  expect([...directory.servedModels()]).toEqual([]);
  expect(directory.isReady("m", NEEDS)).toBe(false);
});

test("a worker that is named is used where it is, and nowhere else", () => {
  const { add, chosen, connect } = setUp();
  const { group } = add("a", "m", 1);
  add("b", "m", 2);
  connect("a", "w", group);
  expect(chosen("m", { workerId: "w" })).toMatchObject({ server: "a", workerId: "w", sessionId: "a~w" });
  expect(chosen("m", { workerId: "v" })).toBeUndefined();
  expect(chosen("m", { workerId: "w", excluded: { sessions: new Set(["a~w"]), workers: new Set() } })).toBeUndefined();
});

test("a group whose workers have all failed a job is not chosen for it", () => {
  const { add, chosen, connect, directory } = setUp();
  const { group } = add("a", "m", 2, { workers: 2 });
  connect("a", "v", group);
  connect("a", "w", group);
  const excluded = { sessions: new Set(["a~v"]), workers: new Set<string>() };
  expect(chosen("m", { excluded })?.server).toBe("a");
  excluded.workers.add("w");
  expect(chosen("m", { excluded })).toBeUndefined();
  expect(directory.isReady("m", { excluded })).toBe(false);
  expect(directory.isReady("m", NEEDS)).toBe(true);
});

test("a kind of exchange goes to workers that announced it", () => {
  const { add, chosen } = setUp();
  add("a", "m", 2);
  add("b", "m", 1, { kinds: ["http", "socket"] });
  expect(chosen("m", { exchangeKind: "socket" })?.server).toBe("b");
  expect(chosen("m", { exchangeKind: "other" })).toBeUndefined();
});

test("of two sessions of a worker, the newest that was not told to leave counts", () => {
  const { add, connect, directory } = setUp();
  const [a, b, c] = [add("a", "m", 1), add("b", "m", 1), add("c", "m", 1)];
  connect("a", "w", a.group, { at: 1 });
  connect("b", "w", b.group, { at: 2 });
  expect(directory.serverOf("w")).toBe("b");
  connect("c", "w", c.group, { at: 3, isLeaving: true });
  expect(directory.serverOf("w")).toBe("b");
});

test("the stand-ins of an alias are those that peers serve", () => {
  const { add, directory } = setUp();
  add("a", "llama3:8b-q4_0", 1);
  add("b", "llama3:8b-instruct", 1);
  expect([...directory.modelsOf("llama3:8b")].sort()).toEqual(["llama3:8b-instruct", "llama3:8b-q4_0"]);
  expect(directory.isKnownAlias("llama3:8b")).toBe(true);
  expect([...directory.modelsOf("llama3:70b")]).toEqual([]);
});

test("a model is first seen when any peer saw it first, as long as it is known", () => {
  const { add, directory, clock } = setUp();
  const { group } = add("a", "m", 1);
  directory.addRow({ plugin: "llm", firstSeenAt: 5000, info: { id: "m" } }, "b");
  directory.addRow({ plugin: "llm", firstSeenAt: 3000, info: { id: "m" } }, "c");
  expect(directory.firstSeenAt("m")).toBe(3000);
  directory.remove(group);
  expect(directory.firstSeenAt("m")).toBe(3000);
  clock.advance(60_000);
  expect(directory.firstSeenAt("m")).toBeUndefined();
});

test("a worker that has left is known for the grace period", () => {
  const { add, connect, directory, workers, clock } = setUp();
  const { group } = add("a", "m", 1);
  connect("a", "w", group);
  const worker = workers.find("w");
  if (worker) workers.remove(worker);
  expect(directory.serverOf("w")).toBeUndefined();
  expect(workers.leftAgoMs("w")).toBe(0);
  expect(directory.isKnownWorker("w")).toBe(true);
  clock.advance(60_000);
  expect(directory.isKnownWorker("w")).toBe(false);
});

test("a worker that comes costs no look at the groups of other workers, and only its tenants know it", () => {
  const { directory, add, connect } = setUp();
  let looks = 0;
  for (const name of ["one", "two", "three"]) {
    const { row } = add("a", name, 1, { tenants: ["others"] }).group;
    const { number } = row;
    Object.defineProperty(row, "number", {
      get: () => {
        looks += 1;
        return number;
      },
    });
  }
  const { group } = add("a", "m", 1, { tenants: ["research"] });
  looks = 0;
  connect("a", "gpu", group);
  expect(looks).toBe(0);
  expect(["research", "others"].map((tenant) => directory.isKnownWorker("gpu", tenant))).toEqual([true, false]);
});
