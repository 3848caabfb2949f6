import "../../../support/seed.ts";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { HOLDING_PERIOD_MS } from "../../../../src/cluster/sharing/key-holdings.ts";
import { SPENDING_PERIOD_MS } from "../../../../src/cluster/sharing/key-spending.ts";
import { MemoryUsage } from "../../../../src/usage/memory-usage.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { KeyServer } from "../../../support/key-server.ts";
import { MemoryLinks } from "../../../support/memory-links.ts";
import { times } from "../../../support/times.ts";

// Three servers keep the limits of one key together while requests come at random. In most runs servers are killed, stopped,
// restarted, with and without a DATA_DIR, and cut off from each other.

const IDS = ["a", "b", "c"];
const MAX_DELAY_MS = 20;
const SAMPLE_MS = 10;
/** After so much quiet, all servers have told each other everything, and what has ended is forgotten. */
const SETTLED_MS = 5000;
const LIMITS = { parallel: 6, requestsPerMinute: 120, tokensPerDay: 6000 };

const actions = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      do: fc.constant("ask" as const),
      server: fc.nat(2),
      requests: fc.integer({ min: 1, max: 12 }),
      tokens: fc.integer({ min: 1, max: 300 }),
      durationMs: fc.integer({ min: 1, max: 3000 }),
    }),
  },
  { weight: 30, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 3000 }) }) },
);
const faults = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("kill" as const), server: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("stop" as const), server: fc.nat(2) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("start" as const), server: fc.nat(2) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("cut" as const), server: fc.nat(2), other: fc.nat(2) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("heal" as const) }) },
);
type ValueOf<T> = T extends fc.Arbitrary<infer V> ? V : never;
type Action = ValueOf<typeof actions> | ValueOf<typeof faults>;

const course = fc.record({
  steps: fc.array(fc.oneof({ weight: 12, arbitrary: actions }, { weight: 1, arbitrary: faults }), { maxLength: 120 }),
  hasFaults: fc.boolean(),
  hasStore: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
  delays: fc.array(fc.integer({ min: 0, max: MAX_DELAY_MS }), { minLength: 7, maxLength: 7 }),
});

/** What one server showed at a time. */
interface Sample {
  readonly at: number;
  readonly server: KeyServer;
  readonly spent: number;
  readonly running: number;
  readonly requests: number;
}

class World {
  readonly clock = new FakeClock();
  readonly links: MemoryLinks;
  readonly servers: (KeyServer | undefined)[] = [];
  readonly #stores: readonly (MemoryUsage | undefined)[];
  readonly #cuts = new Set<string>();
  readonly #samples: Sample[] = [];
  /** All tokens that were ever used, by whomever. */
  used = 0;
  /** `Clock.elapsed` at which that has reached the budget. */
  reachedAt = Number.POSITIVE_INFINITY;
  disturbedAt = Number.NEGATIVE_INFINITY;
  #runs = 0;

  constructor(delays: readonly number[], hasStore: readonly boolean[]) {
    let at = 0;
    this.links = new MemoryLinks(this.clock, () => {
      at += 1;
      return delays[at % delays.length] ?? 0;
    });
    this.#stores = hasStore.map((each) => (each ? new MemoryUsage() : undefined));
    for (const each of IDS.keys()) this.#start(each);
    this.#connect();
  }

  get alive(): readonly KeyServer[] {
    return this.servers.filter((each) => each !== undefined);
  }

  do(action: Action): void {
    const { clock, links } = this;
    if (action.do === "wait") return this.#wait(action.ms);
    if (action.do === "ask") {
      this.#check();
      for (let each = 0; each < action.requests; each += 1) this.servers[action.server]?.ask(action);
      return this.#check();
    }
    this.disturbedAt = clock.elapsed();
    if (action.do === "start") return this.#start(action.server);
    if (action.do === "heal") {
      this.#cuts.clear();
      return this.#connect();
    }
    const server = this.servers[action.server];
    if (!server) return;
    if (action.do === "cut") {
      const other = IDS[action.other] ?? "";
      if (other === server.id) return;
      this.#cuts.add([server.id, other].sort().join());
      return links.cut(server.id, other);
    }
    if (action.do === "stop") server.stop();
    else server.kill();
    this.servers[action.server] = undefined;
    for (const id of IDS) links.cut(server.id, id);
  }

  /** Ends all faults. */
  quiet(): void {
    this.disturbedAt = this.clock.elapsed();
    this.#cuts.clear();
    for (const each of IDS.keys()) this.#start(each);
    this.#connect();
    this.#wait(SETTLED_MS);
  }

  /** Lets time pass without looking. */
  pass(ms: number): void {
    this.clock.advance(ms);
  }

  #start(at: number): void {
    if (this.servers[at]) return;
    this.#runs += 1;
    this.servers[at] = new KeyServer({
      clock: this.clock,
      links: this.links,
      id: IDS[at] ?? "",
      epoch: String(this.#runs).padStart(6, "0"),
      limits: LIMITS,
      store: this.#stores[at],
      onBegin: (server, what) => this.#checkBegin(server, what),
      onUsed: (tokens) => {
        this.used += tokens;
        if (this.used >= LIMITS.tokensPerDay) this.reachedAt = Math.min(this.reachedAt, this.clock.elapsed());
      },
    });
    this.#connect();
  }

  #connect(): void {
    for (const a of this.alive)
      for (const b of this.alive) if (a.id < b.id && !this.#cuts.has(`${a.id},${b.id}`)) this.links.connect(a.id, b.id);
  }

  #wait(ms: number): void {
    for (let left = ms; left > 0; left -= SAMPLE_MS) {
      this.clock.advance(Math.min(left, SAMPLE_MS));
      this.#check();
    }
  }

  /** Nothing begins against the limit that the news of the other servers allow. */
  #checkBegin(server: KeyServer, what: "request" | "job"): void {
    const now = this.clock.elapsed();
    if (now - this.disturbedAt < SETTLED_MS) return;
    let held = what === "job" ? server.running : requestsOf(server, now);
    for (const other of this.alive) {
      if (other === server || !this.links.stands(server.id, other.id)) continue;
      const lately = this.#samples.filter((sample) => sample.server === other && sample.at > now - NEWS_MS - SAMPLE_MS);
      const known = lately.map(({ running, requests }) => (what === "job" ? running : requests));
      held += Math.min(what === "job" ? other.running : requestsOf(other, now), ...known);
    }
    expect(held).toBeLessThan(what === "job" ? LIMITS.parallel : LIMITS.requestsPerMinute);
  }

  /** Compares what servers show with what is true, and with what the others showed a moment ago. */
  #check(): void {
    const now = this.clock.elapsed();
    for (const server of this.alive) {
      const spent = server.used("tokens_per_day");
      // Never does a key count what nobody has used.
      expect(spent).toBeLessThanOrEqual(this.used);
      this.#samples.push({ at: now, server, spent, running: server.running, requests: requestsOf(server, now) });
      if (now - this.disturbedAt < SETTLED_MS) continue;
      for (const other of this.alive) {
        if (!this.links.stands(server.id, other.id)) continue;
        const told = this.#samples.filter(
          (sample) =>
            sample.server === other && sample.at <= now - NEWS_MS && sample.at > now - NEWS_MS - 2 * SAMPLE_MS,
        );
        // What others had counted before the news travelled is counted here.
        for (const sample of told) expect(spent).toBeGreaterThanOrEqual(sample.spent);
      }
    }
    while ((this.#samples[0]?.at ?? now) < now - 4 * NEWS_MS) this.#samples.shift();
  }
}

function requestsOf({ letIn }: KeyServer, now: number): number {
  return letIn.filter((at) => at > now - 60_000).length;
}

/** How long it takes until a peer knows what has changed. */
const NEWS_MS = Math.max(HOLDING_PERIOD_MS, SPENDING_PERIOD_MS) + MAX_DELAY_MS + SAMPLE_MS;

test("100 random runs: servers never count what nobody has used, and know what others have used after one period and one message", () => {
  fc.assert(
    fc.property(course, ({ steps, hasFaults, hasStore, delays }) => {
      const world = new World(delays, hasStore);
      for (const step of steps) if (hasFaults || step.do === "ask" || step.do === "wait") world.do(step);
      world.quiet();
      // Whatever waits is let in or refused, because what holds it back is true and passes.
      world.pass(20 * 60_000);
      const { alive, used, reachedAt } = world;
      for (const { waiting, running } of alive) expect([waiting.length, running]).toEqual([0, 0]);
      const shown = alive.map((server) => server.used("tokens_per_day"));
      expect(new Set(shown).size).toBe(1);
      if (hasFaults) return;
      expect(shown[0]).toBe(used);
      // The budget is passed by what was let in before the news that it is spent has arrived, and by nothing else.
      for (const { letIn } of alive) for (const at of letIn) expect(at).toBeLessThanOrEqual(reachedAt + NEWS_MS);
    }),
    { numRuns: times(100) },
  );
}, 120_000);
