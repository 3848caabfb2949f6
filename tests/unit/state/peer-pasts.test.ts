import { describe, expect, test } from "bun:test";
import type { CallHandler, CallResult } from "../../../src/plugin/cluster.ts";
import type { Sample } from "../../../src/state/history.ts";
import { HISTORY_QUESTION, PeerPasts } from "../../../src/state/peer-pasts.ts";
import { tellSamples } from "../../../src/state/told-samples.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { sampleOf } from "../../support/sample-of.ts";
import { turn } from "../../support/turn.ts";

const setUp = (answer: (body: unknown) => CallResult) => {
  const clock = new FakeClock();
  clock.advance(10_000_000);
  const asked: unknown[] = [];
  const filled: { readonly id: string; readonly samples: readonly Sample[] }[] = [];
  const handlers = new Map<string, CallHandler>();
  const pasts = new PeerPasts({
    clock,
    calls: {
      answer: (kind, handler) => void handlers.set(kind, handler),
      ask: async (_id, _kind, body) => {
        asked.push(body);
        return answer(body);
      },
    },
    histories: { fill: (id, samples) => void filled.push({ id, samples }) },
    own: () => [sampleOf({ at: clock.now() - 1000, requests: 3 })],
  });
  const beat = async (id: string): Promise<void> => {
    pasts.onBeat(id);
    await turn();
  };
  return { clock, asked, filled, handlers, beat };
};

describe("the past of a peer", () => {
  test("is asked for once, and is put into the time of this server's clock", async () => {
    const theirs = 5_000_000;
    const samples = [sampleOf({ at: theirs - 1500, tokens: 2 }), sampleOf({ at: theirs - 500, tokens: 4 })];
    const { clock, asked, filled, beat } = setUp((body) => ({
      kind: "answer",
      body: tellSamples(body, samples, theirs),
    }));
    await beat("b");
    await beat("b");
    expect(asked).toEqual([{ before: undefined }, { before: theirs - 1500 }]);
    expect(filled).toEqual([
      {
        id: "b",
        samples: [sampleOf({ at: clock.now() - 1500, tokens: 2 }), sampleOf({ at: clock.now() - 500, tokens: 4 })],
      },
    ]);
  });

  test("is asked for three times if no answer comes", async () => {
    const { asked, filled, beat } = setUp(() => ({ kind: "late" }));
    for (let second = 0; second < 5; second += 1) await beat("b");
    expect(asked).toHaveLength(3);
    expect(filled).toEqual([]);
  });

  test("is not asked for again if the peer does not know the question or its answer is malformed", async () => {
    for (const result of [{ kind: "unknown" }, { kind: "answer", body: { now: "x" } }] as const) {
      const { asked, filled, beat } = setUp(() => result);
      await beat("b");
      await beat("b");
      expect(asked).toHaveLength(1);
      expect(filled).toEqual([]);
    }
  });

  test("is told to peers that ask", () => {
    const { clock, handlers } = setUp(() => ({ kind: "nobody" }));
    const told = handlers.get(HISTORY_QUESTION)?.({}, "b");
    expect(told).toMatchObject({ now: clock.now(), samples: { at: [clock.now() - 1000], requests: [3] } });
  });
});
