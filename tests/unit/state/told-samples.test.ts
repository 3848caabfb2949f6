import { describe, expect, test } from "bun:test";
import { MAX_MESSAGE_BYTES } from "../../../src/cluster/bus.ts";
import { CAPACITY, COLUMNS, type Sample } from "../../../src/state/history.ts";
import { MAX_ANSWERS, MAX_TOLD, readToldSamples, tellSamples } from "../../../src/state/told-samples.ts";
import { sampleOf } from "../../support/sample-of.ts";

const NOW = 1_800_000_000_000;
const own: readonly Sample[] = Array.from({ length: CAPACITY }, (_, n) =>
  sampleOf({ at: NOW - 1000 * (CAPACITY - 1 - n), requests: n, first_byte_p50_ms: n % 2 === 0 ? null : 1.5 }),
);

/** Sends an answer as JSON, as servers do. */
const sent = (answer: object): unknown => JSON.parse(JSON.stringify(answer));

describe("samples told to a peer", () => {
  test("are the whole history in a few answers", () => {
    let samples: readonly Sample[] = [];
    let before: number | undefined;
    for (let part = 0; part < MAX_ANSWERS; part += 1) {
      const told = readToldSamples(sent(tellSamples({ before }, own, NOW)), before);
      samples = [...(told?.samples ?? []), ...samples];
      before = samples[0]?.at;
    }
    expect(samples).toEqual(own);
    expect(readToldSamples(sent(tellSamples({ before }, own, NOW)), before)?.samples).toEqual([]);
  });

  test("fit into one message even with the longest numbers", () => {
    const long = own.map((sample) => ({
      ...sample,
      ...Object.fromEntries(COLUMNS.map((name) => [name, 1.2345678901234567e-100])),
    }));
    expect(JSON.stringify(tellSamples({}, long, NOW)).length).toBeLessThan(MAX_MESSAGE_BYTES);
  });

  test("are the newest ones if the question is malformed", () => {
    for (const question of [undefined, null, 7, [], { before: "x" }]) {
      const told = readToldSamples(sent(tellSamples(question, own, NOW)), undefined);
      expect(told?.samples).toEqual(own.slice(-MAX_TOLD));
    }
  });
});

describe("samples that a peer tells", () => {
  const answer = (samples: readonly Sample[], more: object = {}): unknown => {
    const columns = Object.fromEntries(COLUMNS.map((name) => [name, samples.map((each) => each[name])]));
    return { now: NOW, samples: { ...columns, ...more } };
  };
  const two = [sampleOf({ at: NOW - 2000 }), sampleOf({ at: NOW - 1000 })];

  test("are taken if every column is there with figures of one length", () => {
    expect(readToldSamples(answer(two), undefined)).toEqual({ now: NOW, samples: two });
    expect(readToldSamples(answer(two, { later_column: ["x"] }), undefined)?.samples).toEqual(two);
  });

  test("are refused if they are malformed", () => {
    for (const bad of [undefined, null, [], {}, { now: NOW }, { now: "x", samples: {} }, { now: NOW, samples: {} }])
      expect(readToldSamples(bad, undefined)).toBeUndefined();
    for (const tokens of [undefined, 7, [1], [1, 2, 3], [1, null], [1, -1], [1, "2"], [1, 1e300]])
      expect(readToldSamples(answer(two, { tokens }), undefined)).toBeUndefined();
    expect(readToldSamples(answer(own.slice(0, MAX_TOLD + 1)), undefined)).toBeUndefined();
  });

  test("are refused if they are not in order, later than the clock, or not before the time that was asked for", () => {
    expect(readToldSamples(answer(two.toReversed()), undefined)).toBeUndefined();
    expect(readToldSamples(answer([...two, ...two]), undefined)).toBeUndefined();
    expect(readToldSamples(answer([sampleOf({ at: NOW + 1 })]), undefined)).toBeUndefined();
    expect(readToldSamples(answer(two), NOW - 1000)).toBeUndefined();
    expect(readToldSamples(answer(two), NOW - 999)?.samples).toEqual(two);
  });

  test("are left out if they are older than a quarter of an hour", () => {
    expect(readToldSamples(answer([sampleOf({ at: 5 }), ...two]), undefined)?.samples).toEqual(two);
  });
});
