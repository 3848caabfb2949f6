import "../../../support/seed.ts";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseGossip } from "../../../../src/cluster/gossip/gossip.ts";
import { MAX_ROWS, packRows, type Rows } from "../../../../src/cluster/gossip/rows.ts";
import { MAX_STAMP } from "../../../../src/cluster/ids/hybrid-clock.ts";

const SENDER = { from: "a", epoch: "e1" };
const NO_ROWS = { workers: [], groups: [], load: [], models: [], left: [] };

function delta(rows: object): string {
  return JSON.stringify({ t: "delta", ...SENDER, seq: 1, ...rows });
}

const BEAT = {
  t: "beat",
  ...SENDER,
  seq: 3,
  at: 1_700_000_000_000,
  version: "1.0.0",
  gossip: [1, 1],
  link: [1, 1],
  state: "ready",
  keys: "0123",
  hears: true,
};

const word = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const count = fc.nat(1_000_000);
const stamp = fc.integer({ min: 0, max: MAX_STAMP });
function optional<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined });
}
const rows: fc.Arbitrary<Rows> = fc.record({
  workers: fc.array(
    fc.record({
      plugin: word,
      id: word,
      session: word,
      owner: word,
      since: stamp,
      at: stamp,
      was: optional(word),
      isLeaving: fc.boolean(),
      groups: fc.array(count, { maxLength: 5 }),
    }),
  ),
  groups: fc.array(
    fc.record({
      number: count,
      plugin: word,
      model: word,
      sentAs: optional(word),
      kinds: optional(fc.uniqueArray(word, { maxLength: 3 })),
      hostInfo: fc.dictionary(word, word, { maxKeys: 2, noNullPrototype: true }),
    }),
  ),
  load: fc.array(fc.tuple(count, count, count, count, count, count, fc.nat(2048), fc.nat(255))),
  models: fc.array(fc.record({ plugin: word, firstSeenAt: stamp, info: fc.record({ id: word, type: word }) })),
  left: fc.array(fc.record({ plugin: word, id: word, owner: word, since: stamp, was: optional(word), ageMs: count })),
});

test("rows are read as they were written", () => {
  fc.assert(
    fc.property(rows, fc.array(word), fc.array(count), (said, closed, ended) => {
      const read = { ...NO_ROWS, closed: [], ended: [] } as Record<string, unknown[]>;
      for (const pack of packRows({ ...said, closed, ended })) {
        const message = parseGossip(delta(pack));
        if (message.t !== "delta") throw new Error(`read as ${message.t}`);
        // The keys of `read` are those of a delta.
        for (const kind of Object.keys(read)) read[kind] = [...(read[kind] ?? []), ...message[kind as keyof Rows]];
      }
      expect(read).toEqual({ ...said, closed, ended } as unknown as Record<string, unknown[]>);
    }),
  );
});

test("many rows are divided among messages that the bus takes", () => {
  const workers = Array.from({ length: 10_000 }, (_, at) => ({
    plugin: "llm",
    id: `worker-${at}-${"ü".length}`,
    session: `server~${at}`,
    owner: "key:0123456789abcdef",
    since: at,
    at,
    was: undefined,
    isLeaving: false,
    groups: [1, 2, 3],
  }));
  const packs = packRows({ ...NO_ROWS, workers });
  expect(packs.flatMap(({ workers: some = [] }) => some)).toHaveLength(10_000);
  for (const pack of packs) expect(Buffer.byteLength(delta(pack))).toBeLessThan(256 * 1024);
});

test("members that a later version adds to messages and rows are dropped", () => {
  const left = ["llm", "w", "o", 1, null, 5, "later"];
  const message = parseGossip(delta({ left: [left], later: 1 }));
  expect(message).toEqual({
    t: "delta",
    ...SENDER,
    seq: 1,
    ...NO_ROWS,
    left: [{ plugin: "llm", id: "w", owner: "o", since: 1, was: undefined, ageMs: 5 }],
    closed: [],
    ended: [],
  });
});

test("a beat of a later version is read as far as it must be to see that the versions differ", () => {
  const later = { ...BEAT, gossip: [2, 3], state: "dreaming", load: { pulses: "other" } };
  const message = parseGossip(JSON.stringify(later));
  expect(message).toMatchObject({ t: "beat", gossip: [2, 3], state: "ready", load: undefined });
});

test.each([
  ["no JSON", "{", "malformed"],
  ["no object", "[]", "malformed"],
  ["no sender", '{"t":"bye","epoch":"e"}', "malformed"],
  ["a sender that no server can be", '{"t":"bye","from":"a.b","epoch":"e"}', "malformed"],
  ["a kind of another version", '{"t":"later","from":"a","epoch":"e"}', "unknown"],
  ["too many rows", delta({ ended: Array.from({ length: MAX_ROWS + 1 }, (_, at) => at) }), "malformed"],
  ["a stamp beyond all clocks", delta({ left: [["llm", "w", "o", MAX_STAMP + 1, null, 0]] }), "malformed"],
  ["an id that no worker can have", delta({ left: [["llm", "a~b", "o", 1, null, 0]] }), "malformed"],
  ["versions in the wrong order", JSON.stringify({ ...BEAT, gossip: [3, 2] }), "malformed"],
])("%s is not read", (_what, text, t) => {
  expect(parseGossip(text)).toEqual({ t } as ReturnType<typeof parseGossip>);
});

test("no JSON of any form makes the reader throw", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom("beat", "delta", "full", "hello", "bye", "need"), (value, t) => {
      parseGossip(JSON.stringify(value));
      parseGossip(JSON.stringify({ ...BEAT, t, workers: value, groups: value, load: [value], seq: value }));
    }),
  );
});
