import { expect, test } from "bun:test";
import {
  type Restriction,
  type RestrictionListener,
  type RestrictionRecords,
  Restrictions,
} from "../../../src/plugin/restrictions.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function setUp(records?: RestrictionRecords) {
  const clock = new FakeClock();
  let changes = 0;
  const onChange = (): void => {
    changes += 1;
  };
  return { clock, restrictions: new Restrictions({ clock, records, onChange }), changes: () => changes };
}

const worker = (id: string) => ({ id, name: `name of ${id}` });

test("a worker id can be drained and blocked, each by its operator and until it is lifted", () => {
  const { clock, restrictions, changes } = setUp();
  restrictions.impose("drained", worker("w"), "admin-key:1");
  const drained = { since: new Date(clock.now()).toISOString(), by: "admin-key:1" };
  clock.advance(5000);
  restrictions.impose("blocked", worker("w"), "sign-in");
  const blocked = { since: new Date(clock.now()).toISOString(), by: "sign-in" };
  expect([restrictions.isDrained("w"), restrictions.isBlocked("w")]).toEqual([true, true]);
  const row = { id: "w", name: "name of w", connected: true, drained, blocked };
  expect(restrictions.state(() => true)).toEqual([row]);
  expect(restrictions.lift("blocked", "w")).toBe(true);
  expect(restrictions.state(() => false)).toEqual([{ ...row, connected: false, blocked: null }]);
  expect(restrictions.lift("drained", "w")).toBe(true);
  expect(restrictions.state(() => false)).toEqual([]);
  expect(changes()).toBe(4);
});

test("a restriction that exists stays as it is, and one that does not exist cannot be lifted", () => {
  const { restrictions, changes } = setUp();
  restrictions.impose("drained", worker("w"), "first");
  restrictions.impose("drained", worker("w"), "second");
  expect(restrictions.state(() => true)[0]?.drained?.by).toBe("first");
  expect(restrictions.lift("blocked", "w")).toBe(false);
  expect(changes()).toBe(1);
});

test("a plugin has 1,000 restrictions at most, and says so", () => {
  const { restrictions } = setUp();
  for (let id = 0; id < 1000; id += 1) restrictions.impose(id % 2 ? "drained" : "blocked", worker(`w${id}`), "me");
  expect(() => restrictions.impose("drained", worker("more"), "me")).toThrow("Lift some of these restrictions first");
  restrictions.lift("blocked", "w0");
  restrictions.impose("drained", worker("more"), "me");
});

test("records bring the restrictions back", () => {
  const rows: Restriction[] = [];
  const records: RestrictionRecords = {
    load: () => [...rows],
    save: (row) => void rows.push(row),
    remove: (kind, id) =>
      void rows.splice(
        rows.findIndex((row) => row.kind === kind && row.workerId === id),
        1,
      ),
  };
  const before = setUp(records).restrictions;
  before.impose("blocked", worker("w"), "me");
  before.impose("drained", { id: "v", name: undefined }, "me");
  before.impose("drained", worker("u"), "me");
  before.lift("drained", "u");
  const after = setUp(records).restrictions;
  expect(after.state(() => false)).toEqual(before.state(() => false));
  expect(after.isBlocked("w") && after.isDrained("v") && !after.isDrained("u")).toBe(true);
});

test("what operators of other servers impose and lift counts here, and is told once", () => {
  let listener: RestrictionListener | undefined;
  const saved: Restriction[] = [];
  const { restrictions, changes } = setUp({
    load: () => [],
    save: (restriction) => saved.push(restriction),
    remove: () => {},
    watch: (given) => {
      listener = given;
    },
  });
  const told: string[] = [];
  restrictions.onElsewhere((kind, id, isOn) => told.push(`${kind} ${id} ${isOn}`));
  const drain = { kind: "drained", workerId: "w", workerName: undefined, by: "there", since: 5 } as const;
  listener?.saved(drain);
  listener?.saved({ ...drain, by: "there, later" });
  expect(restrictions.isDrained("w")).toBe(true);
  expect(restrictions.state(() => false)[0]?.drained?.by).toBe("there, later");
  listener?.removed("drained", "w");
  listener?.removed("drained", "w");
  expect(restrictions.isDrained("w")).toBe(false);
  expect(told).toEqual(["drained w true", "drained w false"]);
  expect(changes()).toBe(4);
  expect(saved).toEqual([]);
});
