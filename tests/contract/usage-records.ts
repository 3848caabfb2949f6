import { afterEach, describe, expect, test } from "bun:test";
import { Sum } from "../../src/usage/amounts.ts";
import { STEP_MS, type UsageCell, type UsageRange, type UsageRecords } from "../../src/usage/usage-records.ts";

/** Records under test. */
export interface UsageRecordsRig {
  readonly records: UsageRecords;
  stop(): void;
}

/** Noon of a day. */
const NOON = Date.UTC(2026, 10, 27, 12);
const EVER: UsageRange = { step: "minute", from: 0, to: NOON * 2 };

export function usageCell(at: number, key: string, more: Partial<UsageCell> = {}): UsageCell {
  return Object.assign(new Sum(), { at, key, model: "m", endUser: "", requests: 1, input: 10, output: 2, ...more });
}

/** The duties of `UsageRecords`, for each of its implementations. */
export function describeUsageRecords(name: string, start: () => UsageRecordsRig): void {
  describe(name, () => {
    const rigs: UsageRecordsRig[] = [];
    afterEach(() => {
      for (const rig of rigs.splice(0)) rig.stop();
    });
    const open = (): UsageRecords => {
      const rig = start();
      rigs.push(rig);
      return rig.records;
    };
    const read = (records: UsageRecords, range: Partial<UsageRange> = {}): UsageCell[] => {
      const view = records.view({ ...EVER, ...range });
      const rows: UsageCell[] = [];
      for (let page = view.next(); page.length > 0; page = view.next()) rows.push(...page);
      view.close();
      return rows;
    };

    test("add what has one owner and one period up, in each table", () => {
      const records = open();
      const amounts = { failures: 1, cached: 4, audioMs: 1500, waitMs: 7, heldMs: 9, estimated: 12 };
      expect(records.add([usageCell(NOON, "a", amounts), usageCell(NOON, "b")])).toBe(true);
      records.add([usageCell(NOON, "a", { input: 90 }), usageCell(NOON + 59 * STEP_MS.minute, "a")]);
      records.add([usageCell(NOON, "a", { model: "n" }), usageCell(NOON, "a", { endUser: "u" })]);
      const minutes = read(records).map(({ at, ...row }) =>
        [row.key, row.model, row.endUser, at - NOON, row.input].join(),
      );
      expect(minutes.toSorted()).toEqual(["a,m,,0,100", "a,m,,3540000,10", "a,m,u,0,10", "a,n,,0,10", "b,m,,0,10"]);
      const isMain = (row: UsageCell): boolean => row.key === "a" && row.model === "m" && row.endUser === "";
      const hour = read(records, { step: "hour" }).find(isMain);
      expect(hour).toEqual(usageCell(NOON, "a", { ...amounts, requests: 3, input: 110, output: 6 }));
      const day = read(records, { step: "day" }).find(isMain);
      expect(day).toEqual({
        ...usageCell(NOON, "a", amounts),
        at: NOON - (NOON % STEP_MS.day),
        requests: 3,
        input: 110,
        output: 6,
      });
    });

    test("give only the rows of the range and of the key", () => {
      const records = open();
      for (const key of ["a", "b"])
        records.add([0, 1, 2].map((minute) => usageCell(NOON + minute * STEP_MS.minute, key)));
      const range = { from: NOON + STEP_MS.minute, to: NOON + 2 * STEP_MS.minute };
      expect(read(records, range).map(({ key }) => key)).toEqual(["a", "b"]);
      expect(read(records, { key: "b" }).map(({ key }) => key)).toEqual(["b", "b", "b"]);
    });

    test("give a view of more rows than a page, in order, that later additions do not change", () => {
      const records = open();
      const cells = Array.from({ length: 2500 }, (_, index) =>
        usageCell(NOON + (index % 5) * STEP_MS.minute, `k${index}`),
      );
      records.add(cells);
      const view = records.view(EVER);
      records.add(cells);
      const rows: UsageCell[] = [];
      for (let page = view.next(); page.length > 0; page = view.next()) {
        expect(page.length).toBeLessThanOrEqual(1000);
        rows.push(...page);
        records.add([usageCell(NOON + STEP_MS.hour, "late")]);
      }
      view.close();
      expect(rows).toHaveLength(2500);
      expect(rows.every(({ requests }) => requests === 1)).toBe(true);
      expect(rows.map(({ at }) => at)).toEqual(rows.map(({ at }) => at).toSorted((a, b) => a - b));
      expect(read(records).filter(({ requests }) => requests === 2)).toHaveLength(2500);
    });

    test("tell what each key has spent since a minute", () => {
      const records = open();
      records.add([
        usageCell(NOON - STEP_MS.minute, "a", { input: 1000 }),
        usageCell(NOON + 29 * STEP_MS.minute, "a", { input: 500 }),
        usageCell(NOON + 30 * STEP_MS.minute, "a", { input: 5, audioMs: 3 }),
        usageCell(NOON + STEP_MS.hour, "a", { model: "n", audioMs: 4 }),
        usageCell(NOON + 5 * STEP_MS.hour, "b"),
      ]);
      for (const days of [0.5, 1, 3, 3.75]) records.add([usageCell(NOON + days * STEP_MS.day, "a")]);
      const spent = records.spentSince(NOON + 30 * STEP_MS.minute).toSorted((a, b) => (a.key < b.key ? -1 : 1));
      expect(spent).toEqual([
        { key: "a", tokens: 19 + 4 * 12, audioMs: 7 },
        { key: "b", tokens: 12, audioMs: 0 },
      ]);
    });

    test("keep minutes for two days, hours for ninety, and days for ever, and remove a few rows at a time", () => {
      const records = open();
      const ages = [0, 49 * STEP_MS.hour, 91 * STEP_MS.day, 2000 * STEP_MS.day];
      records.add(ages.flatMap((age) => ["a", "b", "c"].map((key) => usageCell(NOON - age, key))));
      let calls = 1;
      while (records.prune(NOON, 4)) calls += 1;
      expect(calls).toBeGreaterThan(1);
      const count = (step: UsageRange["step"]): number => read(records, { step }).length;
      expect([count("minute"), count("hour"), count("day")]).toEqual([3, 6, 12]);
    });
  });
}
