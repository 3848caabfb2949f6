import { afterEach, describe, expect, test } from "bun:test";
import { type CallBounds, type CallFilter, type CallRecords, WINDOW_CALLS } from "../../src/calls/call-records.ts";
import type { PastCall } from "../../src/calls/past-call.ts";

/** Records under test. */
export interface CallRecordsRig {
  readonly records: CallRecords;
  stop(): void;
}

const NOON = Date.UTC(2026, 10, 27, 12);
const EVER: CallBounds = { calls: 1000, refused: 1000, since: 0 };

/** A call that ended at noon and as many seconds as its id. */
export function pastCall(id: number, more: Partial<PastCall> = {}): PastCall {
  return {
    id,
    endedAt: NOON + id * 1000,
    requestId: `request-${id}`,
    relay: "files",
    caller: "anonymous",
    tenant: "default",
    method: "tools/call",
    name: "read_file",
    outcome: "completed",
    status: 200,
    durationMs: 12,
    bytesIn: 100,
    bytesOut: 400,
    ...more,
  };
}

/** The duties of `CallRecords`, for each of its implementations. */
export function describeCallRecords(name: string, start: () => CallRecordsRig): void {
  describe(name, () => {
    const rigs: CallRecordsRig[] = [];
    afterEach(() => {
      for (const rig of rigs.splice(0)) rig.stop();
    });
    const open = (calls: readonly PastCall[] = []): CallRecords => {
      const rig = start();
      rigs.push(rig);
      expect(rig.records.add(calls)).toBe(true);
      return rig.records;
    };
    /** Looks through all windows. */
    const read = (records: CallRecords, filter: CallFilter = {}, limit = 10_000): PastCall[] => {
      const found: PastCall[] = [];
      let before: number | undefined = Number.MAX_SAFE_INTEGER;
      while (before !== undefined && found.length < limit) {
        const { calls, oldest } = records.look(filter, before, limit - found.length);
        found.push(...calls);
        before = oldest?.id;
      }
      return found;
    };
    const idsOf = (records: CallRecords, filter: CallFilter = {}): number[] =>
      read(records, filter).map(({ id }) => id);
    const many = (count: number, more: Partial<PastCall> = {}): PastCall[] =>
      Array.from({ length: count }, (_, at) => pastCall(at + 1, more));

    test("return calls as they were added, the newest first", () => {
      const whole: PastCall = {
        ...pastCall(2),
        relayServer: "b",
        caller: "ann",
        key: "0123456789ab",
        client: "Claude",
        tenant: "lab",
        relayCaller: "bob",
        address: "192.0.2.1",
        outcome: "error",
        reason: "upstream_error",
        rpcCode: -32_602,
        arguments: '{"path":"/a"}',
      };
      const records = open([pastCall(1), whole]);
      expect(read(records)).toEqual([whole, pastCall(1)].map((call) => expect.objectContaining(call)));
      expect(records.lastId()).toBe(2);
      expect(open().lastId()).toBe(0);
    });

    test.each<[CallFilter, number[]]>([
      [{}, [6, 5, 4, 3, 2, 1]],
      [{ relay: "mail" }, [2]],
      [{ caller: "key-id" }, [3]],
      [{ caller: "ann" }, [4, 3]],
      [{ tenant: "lab" }, [3]],
      [{ name: "read_file" }, [4, 3, 1]],
      [{ name: "read_*" }, [5, 4, 3, 1]],
      [{ name: "*" }, [5, 4, 3, 2, 1]],
      [{ name: "READ_*" }, []],
      [{ name: "read_%" }, []],
      [{ method: "resources/read" }, [5]],
      [{ outcome: "refused" }, [6]],
      [{ since: NOON + 3000, until: NOON + 5000 }, [4, 3]],
      [{ words: ["READ_", "Files"] }, [5, 4, 3, 1]],
      [{ words: ["mail", "files"] }, []],
      [{ words: ["request-4"] }, [4]],
      [{ words: ["secret-argument"] }, []],
      [{ words: ["%"] }, []],
    ])("find those that %j means", (filter, ids) => {
      const records = open([
        pastCall(1),
        pastCall(2, { relay: "mail", name: "send" }),
        pastCall(3, { caller: "ann", key: "key-id", tenant: "lab" }),
        pastCall(4, { relayCaller: "ann", arguments: "secret-argument" }),
        pastCall(5, { method: "resources/read", name: "read_me" }),
        pastCall(6, { method: "other", name: undefined, outcome: "refused" }),
      ]);
      expect(idsOf(records, filter)).toEqual(ids);
    });

    test("show many calls in windows, each call in one of them", () => {
      const records = open(many(2500));
      expect(idsOf(records)).toEqual(
        many(2500)
          .map(({ id }) => id)
          .reverse(),
      );
      expect(idsOf(records, { words: ["request-17"] })).toHaveLength(111);
      expect(read(records, {}, 3).map(({ id }) => id)).toEqual([2500, 2499, 2498]);
      expect(records.look({}, 3, 10).calls.map(({ id }) => id)).toEqual([2, 1]);
      const first = records.look({ words: ["request-1500"] }, Number.MAX_SAFE_INTEGER, 10);
      expect(first).toMatchObject({ calls: [], oldest: { id: 2500 - WINDOW_CALLS + 1 } });
    });

    test("remove the oldest beyond the bounds, a few at a time", () => {
      const records = open(many(10));
      expect(records.prune({ ...EVER, calls: 4 }, 5)).toBe(true);
      expect(idsOf(records)).toEqual([10, 9, 8, 7, 6]);
      expect(records.prune({ ...EVER, calls: 4 }, 5)).toBe(false);
      expect(idsOf(records)).toEqual([10, 9, 8, 7]);
      expect(records.prune({ ...EVER, calls: 4 }, 5)).toBe(false);
      records.add([pastCall(11)]);
      records.prune({ ...EVER, calls: 4 }, 5);
      expect(idsOf(records)).toEqual([11, 10, 9, 8]);
    });

    test("remove calls from before a time, whatever their kind", () => {
      const records = open([...many(4), pastCall(5, { outcome: "refused" }), pastCall(6)]);
      while (records.prune({ ...EVER, since: NOON + 6000 }, 3));
      expect(idsOf(records)).toEqual([6]);
      records.prune({ calls: 0, refused: 0, since: 0 }, 5);
      expect(idsOf(records)).toEqual([]);
    });

    test("keep the calls of others when many are refused, and the newest of those that were refused", () => {
      const refused = Array.from({ length: 20 }, (_, at) => pastCall(at + 4, { outcome: "refused" }));
      const records = open([...many(3), ...refused]);
      const bounds = { calls: 3, refused: 2, since: 0 };
      while (records.prune(bounds, 5));
      expect(idsOf(records)).toEqual([23, 22, 3, 2, 1]);
      records.add([pastCall(24), pastCall(25)]);
      while (records.prune(bounds, 5));
      expect(idsOf(records)).toEqual([25, 24, 23, 22, 3]);
    });
  });
}
