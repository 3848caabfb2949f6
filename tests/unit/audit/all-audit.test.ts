import "../../support/seed.ts";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { AllAudit } from "../../../src/audit/all-audit.ts";
import type { AuditEntry } from "../../../src/audit/audit.ts";
import { placeText, type TrailPlace, toPlace } from "../../../src/plugin/joined-trails.ts";
import type { PeerReadings } from "../../../src/plugin/peer-readings.ts";

const trailOf = (times: readonly number[]) => {
  const entries = times.map((at, index): AuditEntry => ({ id: index + 1, at, who: "root", what: "key.create" }));
  return {
    read: ({ before = Number.POSITIVE_INFINITY, limit }: { before?: number | undefined; limit: number }) =>
      entries
        .filter(({ id }) => id < before)
        .slice(-limit)
        .reverse(),
  };
};

/** The trails of servers that answer each other at once. `a` is the one that is asked. */
function auditOf(trails: Readonly<Record<string, readonly number[]>>): AllAudit {
  const handlers = new Map<string, Parameters<PeerReadings["answer"]>[1]>();
  const readingsOf = (serverId: string): PeerReadings => ({
    serverId,
    answer: (_, read) => void handlers.set(serverId, read),
    async ask(_, question) {
      const answers = new Map<string, readonly unknown[]>();
      for (const [server, read] of handlers)
        if (server !== serverId)
          answers.set(
            server,
            [...(await read(question))].map((line) => JSON.parse(line)),
          );
      return { answers, missing: [] };
    },
  });
  const all = Object.entries(trails).map(([id, times]) => new AllAudit(trailOf(times), readingsOf(id)));
  const [first] = all;
  if (!first) throw new Error("no servers");
  return first;
}

const times = fc.array(fc.nat(50), { maxLength: 30 }).map((all) => all.sort((a, b) => a - b));

test("the pages of all trails have each entry once, the newest first", async () => {
  await fc.assert(
    fc.asyncProperty(times, times, times, fc.integer({ min: 1, max: 12 }), async (a, b, c, limit) => {
      const audit = auditOf({ a, b, c });
      const read: { server: string; id: number; at: number }[] = [];
      let after: TrailPlace | undefined;
      for (let page = 0; page < 100; page += 1) {
        const { entries, next } = await audit.read({ limit, after });
        read.push(...entries.map(({ server, entry: { id, at } }) => ({ server, id, at })));
        if (!next) break;
        // As a client sends it back.
        after = toPlace(placeText(next), "a");
        expect(after).toEqual(next);
      }
      expect(read.length).toBe(a.length + b.length + c.length);
      expect(new Set(read.map(({ server, id }) => `${server} ${id}`)).size).toBe(read.length);
      expect(read.map(({ at }) => at)).toEqual([...a, ...b, ...c].sort((x, y) => y - x));
    }),
  );
});

test("a place of a server that is the only one is the id of an entry", () => {
  expect(placeText({ "": 12 })).toBe("12");
  expect(toPlace("12", "")).toEqual({ "": 12 });
  for (const wrong of ["", "0", "a", "a:", "a:1,", "a:1;b:2", "__proto__:1"])
    expect(toPlace(wrong, "")).toBeUndefined();
});

test("a server of which some entries cannot be read is named", async () => {
  const entry = { id: 2, at: 5, who: "root", what: "key.create" };
  const readings: PeerReadings = {
    serverId: "a",
    answer: () => {},
    ask: () =>
      Promise.resolve({ answers: new Map([["b", [entry, { ...entry, id: 1, detail: { of: {} } }]]]), missing: ["c"] }),
  };
  const { entries, missing } = await new AllAudit(trailOf([]), readings).read({ limit: 5, after: undefined });
  expect(entries).toEqual([{ server: "b", entry }]);
  expect(missing).toEqual(["c", "b"]);
});
