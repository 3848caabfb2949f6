import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../src/errors.ts";
import { FIRST_OUT_MS, LONGEST_OUT_MS } from "../../src/pool/routing/health.ts";
import { LeastLoaded } from "../../src/pool/routing/least-loaded.ts";
import { Soonest } from "../../src/pool/routing/soonest.ts";
import { RESET_CODES } from "../../src/wire/frame.ts";
import { type Manner, MODELS, PoolRig, QUEUE_TIMEOUT_MS, RARE_KIND, SILENCE_MS } from "../support/pool-rig.ts";
import { CONFIRM_TIMEOUT_MS } from "../support/scripted-session.ts";
import { times } from "../support/times.ts";

// A pool with all that clients, workers, operators and time do to it in any order, for each pair of policies that is used.

const index = fc.nat({ max: 5 });
const workerId = fc.constantFrom("w1", "w2", "w3");
const models = fc.subarray([...MODELS], { minLength: 0 });
const slots = fc.constantFrom(0, 1, 1, 2, 2);
const manner = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Manner>("plain") },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Manner>(
      "leaves at the head",
      "starts another",
      "takes others along",
      "has no request",
      "has nothing to send",
      "takes others along without a request",
    ),
  },
);

const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("connect" as const), workerId, models, slots, isWide: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("vanish" as const, "close" as const), at: index }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("change" as const),
      at: index,
      models,
      slots,
      status: fc.constantFrom("ready" as const, "ready" as const, "not_ready" as const, "draining" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("drain" as const), at: index, isDrained: fc.boolean() }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("start" as const),
      caller: fc.nat({ max: 2 }),
      model: fc.constantFrom(0, 0, 0, 1, 2, 2, 3, 4),
      workerId: rarely(workerId),
      exact: fc.constantFrom(false, false, true),
      exchangeKind: rarely(fc.constant(RARE_KIND)),
      manner,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("cancel" as const, "cancel as operator" as const), at: fc.nat() }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("head" as const, "data" as const, "end" as const, "confirm" as const),
      at: fc.nat({ max: 8 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("answer 500" as const), at: fc.nat({ max: 8 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("fail often" as const), workerId, model: fc.nat({ max: 4 }) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("break" as const),
      at: fc.nat({ max: 8 }),
      code: fc.constantFrom("busy" as const, "draining" as const, "upstream_unreachable" as const, ...RESET_CODES),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      ms: fc.constantFrom(1, 250, QUEUE_TIMEOUT_MS, CONFIRM_TIMEOUT_MS, FIRST_OUT_MS, SILENCE_MS),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function act(rig: PoolRig, what: Step): void {
  switch (what.do) {
    case "connect":
      return rig.connect(what.workerId, what.models, what.slots, what.isWide);
    case "start":
      return rig.start(what);
    case "fail often":
      return failOften(rig, what);
    case "wait":
      return rig.clock.advance(what.ms);
    case "cancel":
    case "cancel as operator": {
      const fault = what.do === "cancel" ? undefined : new Fault("canceled_by_operator");
      return rig.jobs[what.at % Math.max(1, rig.jobs.length)]?.job.cancel(fault);
    }
    case "vanish":
      return rig.sessions.at(-1 - what.at)?.vanish();
    case "close":
      return rig.sessions.at(-1 - what.at)?.close({ code: 1012, reason: "disconnected by an operator" });
    case "change": {
      const { models: list, slots: maxConcurrency, status } = what;
      return rig.sessions.at(-1 - what.at)?.changeOffer({ models: list, maxConcurrency, status });
    }
    case "drain": {
      const session = rig.sessions.at(-1 - what.at);
      return session && rig.setDrained(session, what.isDrained);
    }
    default:
      return work(rig, what);
  }
}

/** Jobs that name one worker fail at once, until it is out if another one could take over. */
function failOften(rig: PoolRig, { workerId, model }: { readonly workerId: string; readonly model: number }): void {
  for (let at = 0; at < 5; at += 1) {
    const before = new Set(rig.running);
    rig.start({ caller: 0, model, workerId, exact: false, exchangeKind: undefined, manner: "plain" });
    for (const exchange of rig.running) {
      if (before.has(exchange)) continue;
      exchange.head({ status: 500, headers: [] });
      exchange.end();
    }
  }
}

/** A worker does something about one of its exchanges. */
function work(
  rig: PoolRig,
  what: Extract<Step, { do: "head" | "data" | "end" | "confirm" | "answer 500" | "break" }>,
): void {
  const exchange = [...rig.running][what.at % Math.max(1, rig.running.size)];
  switch (what.do) {
    case "head":
      return exchange?.head({ status: 200, headers: [] });
    case "data":
      return exchange?.data(new Uint8Array(3));
    case "end":
      return exchange?.end();
    case "answer 500":
      exchange?.head({ status: 500, headers: [] });
      return exchange?.end();
    case "confirm":
      return exchange?.cancelled.length ? exchange.confirm() : undefined;
    case "break":
      if (what.code === "busy") rig.refusals += 1;
      rig.hasRested ||= what.code === "busy" || what.code === "upstream_unreachable";
      return exchange?.breakOff(what.code);
  }
}

/** All workers answer, and time passes, until nothing is left to do. */
function finish(rig: PoolRig): void {
  for (const session of rig.sessions) rig.setDrained(session, false);
  for (let round = 0; round < 50; round += 1) {
    for (const exchange of [...rig.running]) {
      exchange.head({ status: 200, headers: [] });
      exchange.end();
      if (exchange.cancelled.length > 0) exchange.confirm();
    }
    rig.clock.advance(250);
  }
}

describe.each([
  ["first come", "the least loaded worker", new LeastLoaded()],
  ["first come", "the soonest worker", new Soonest()],
  ["fair", "the soonest worker", new Soonest()],
] as const)("in any sequence of events in a pool, %s first served by %s,", (policy, _route, routePolicy) => {
  test.each([
    ["all workers answer", finish],
    ["the server shuts down", (rig: PoolRig) => rig.pool.refuseWaiting(() => new Fault("draining"))],
    ["all clients leave at once", (rig: PoolRig) => rig.jobs.forEach(({ job }) => void job.cancel())],
  ] as const)("each job ends once, no slot is lost or given twice, and no free slot is forgotten: %s", (_how, end) => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), (steps) => {
        const rig = new PoolRig(policy, routePolicy);
        rig.connect("w1", ["a:8b"], 1, true);
        rig.connect("w2", ["a:8b-q4", "b"], 2, false);
        for (const what of steps) {
          act(rig, what);
          rig.hasPaused = what.do === "wait" && what.ms >= 250;
          expect(rig.check()).toEqual([]);
        }
        end(rig);
        expect(rig.check()).toEqual([]);
        for (const session of rig.sessions) session.vanish();
        rig.clock.advance(QUEUE_TIMEOUT_MS + SILENCE_MS + LONGEST_OUT_MS);
        expect(rig.check()).toEqual([]);
        expect(rig.jobs.map(({ ends }) => ends.length)).toEqual(rig.jobs.map(() => 1));
        const { busyTotal, queueLength } = rig.pool;
        expect([busyTotal, queueLength, [...rig.pool.jobs.all()].length, rig.clock.pending]).toEqual([0, 0, 0, 0]);
      }),
      { numRuns: times(200) },
    );
  });
});
