import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeCredit, encodeReset, encodeResponse, encodeResponseData } from "../../src/wire/frame.ts";
import type { Manner } from "../support/link-job.ts";
import { LinkRig, SILENCE_MS } from "../support/link-rig.ts";
import { times } from "../support/times.ts";

// A real session and a worker's real exchanges, with events of clients, backends, sockets and time in any order.

const way = fc.constantFrom("down" as const, "up" as const);
const job = fc.nat({ max: 3 });
const manner = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Manner>("answers") },
  { weight: 2, arbitrary: fc.constant<Manner>("is busy") },
  { weight: 1, arbitrary: fc.constantFrom<Manner>("refuses", "cannot be reached", "is not asked") },
);
/** Frames' worth of bytes, and more than a window. */
const bytes = fc.oneof(fc.nat({ max: 20 }), fc.nat({ max: 700 }), fc.constantFrom(999, 1000, 1001, 3500));

const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant("start" as const), manner, body: fc.option(bytes) }) },
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("deliver" as const), way, count: fc.integer({ min: 1, max: 4 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("upload" as const), job, bytes }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("end upload" as const, "fail upload" as const), job }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom("read" as const, "respond" as const, "take" as const), job }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("answer" as const), job, bytes }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("end answer" as const, "fail answer" as const), job }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("cancel" as const),
      job,
      code: fc.constantFrom("canceled" as const, "timeout" as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("room" as const), way, hasRoom: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(10, 4999, 5000, SILENCE_MS) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("late" as const), way, job, bytes: fc.nat({ max: 50 }) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function act(rig: LinkRig, what: Step): void {
  if (what.do === "start") {
    if (rig.jobs.size < 4) rig.start(what.manner, what.body ?? undefined);
    return;
  }
  if (what.do === "deliver") return rig.deliver(what.way, what.count);
  if (what.do === "room") return rig.setRoom(what.way, what.hasRoom);
  if (what.do === "wait") return rig.clock.advance(what.ms);
  const picked = rig.jobs.get(what.job + 1);
  if (!picked) return;
  switch (what.do) {
    case "upload":
      return picked.upload?.give(what.bytes);
    case "end upload":
      return picked.upload?.end();
    case "fail upload":
      return picked.upload?.fail();
    case "read":
      return picked.readOne();
    case "respond":
      return picked.respond();
    case "answer":
      return picked.answer.give(what.bytes);
    case "end answer":
      return picked.answer.end();
    case "fail answer":
      return picked.answer.fail();
    case "take":
      return picked.take();
    case "cancel":
      return picked.exchange?.cancel(what.code);
    case "late":
      return sendLate(rig, what);
    default:
      return what satisfies never;
  }
}

/** Frames for an exchange that is over at both ends. */
function sendLate(rig: LinkRig, { way: to, job: at, bytes: count }: Extract<Step, { do: "late" }>): void {
  const id = at + 1;
  if (!rig.jobs.get(id)?.sink.isSettled) return;
  const body = new Uint8Array(count);
  rig.inject(to, encodeCredit(id, count));
  rig.inject(to, encodeReset(id, "internal", "late"));
  if (to === "down") return;
  rig.inject(to, encodeResponse(id, { status: 200, headers: [] }, body, false));
  rig.inject(to, encodeResponseData(id, body, true));
}

/** Delivers everything in transit. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets clients take, backends read and end, and all frames arrive. */
async function finish(rig: LinkRig, rounds: number): Promise<void> {
  for (const to of ["down", "up"] as const) rig.setRoom(to, true);
  for (let round = 0; round < rounds; round += 1) {
    for (const each of rig.jobs.values()) {
      each.upload?.end();
      each.respond();
      each.answer.end();
      each.readOne();
      each.take();
    }
    rig.deliver("down", 1000);
    rig.deliver("up", 1000);
    await settle();
    if ([...rig.jobs.values()].every(({ sink }) => sink.isSettled) && rig.worker.running === 0) return;
  }
}

describe("in any sequence of events on a link,", () => {
  test.each([
    ["and then everybody goes on", false],
    ["and then the link is lost", true],
  ])(
    "each job ends once, in order, with the bytes sent, within its credit, and leaves nothing behind: %s",
    async (_end, isLost) => {
      const seen = new Set<string>();
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), fc.nat({ max: 3 }), async (steps, rounds) => {
          const rig = new LinkRig();
          for (const what of [{ do: "start" as const, manner: "answers" as const, body: 10 }, ...steps]) {
            act(rig, what);
            await settle();
            expect(rig.check()).toEqual([]);
          }
          await finish(rig, isLost ? rounds : 60);
          if (isLost) rig.lose();
          await settle();
          expect(rig.check()).toEqual([]);
          expect(rig.closes).toEqual([]);
          for (const { sink, upload, signal, answer } of rig.jobs.values()) {
            expect([sink.ends.length, sink.isSettled]).toEqual([1, true]);
            seen.add(sink.ends[0]?.kind ?? "");
            expect(upload?.isOver ?? true).toBe(true);
            // A backend has sent everything, or was told to stop.
            if (signal) expect(signal.aborted || answer.isOver).toBe(true);
          }
          expect(rig.worker.running).toBe(0);
          expect(rig.clock.pending).toBe(0);
          if (!isLost) rig.session.close({ code: 1000, reason: "bye" });
          expect(isLost || rig.runningAtEnd === 0).toBe(true);
        }),
        { numRuns: times(150) },
      );
      // All possible endings have occurred.
      expect(seen).toEqual(new Set(["complete", "broken", "refused", "canceled", ...(isLost ? ["lost"] : [])]));
    },
  );
});
