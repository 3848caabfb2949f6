import { expect, spyOn, test } from "bun:test";
import { createCallRows } from "../../src/store/call-rows.ts";
import { openStore } from "../../src/store/store.ts";
import { silentLog } from "../../src/system/log.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { describeCallRecords, pastCall } from "./call-records.ts";

function start() {
  const directory = temporaryDirectory();
  const store = openStore(directory.path, { clock: new FakeClock(), log: silentLog });
  return {
    store,
    records: createCallRows(store),
    stop() {
      store.close();
      directory.remove();
    },
  };
}

describeCallRecords("calls in the store", start);

test("calls in the store are counted from what an earlier run has left", () => {
  const { store, records, stop } = start();
  records.add([pastCall(1), pastCall(2, { outcome: "refused" }), pastCall(3), pastCall(4)]);
  const later = createCallRows(store);
  later.prune({ calls: 1, refused: 1, since: 0 }, 10);
  expect(later.look({}, 100, 10).calls.map(({ id }) => id)).toEqual([4, 2]);
  stop();
});

test("calls in the store are not counted for what only reads them", () => {
  const { store, records, stop } = start();
  records.add([pastCall(1)]);
  const query = spyOn(store.db, "query");
  const later = createCallRows(store);
  expect(later.lastId()).toBe(1);
  later.look({}, 100, 10);
  expect(query).not.toHaveBeenCalled();
  later.prune({ calls: 0, refused: 0, since: 0 }, 10);
  expect(query).toHaveBeenCalled();
  expect(later.look({}, 100, 10).calls).toEqual([]);
  stop();
});

test("a call of a newer version that cannot be read is left out, and the others are found", () => {
  const { store, records, stop } = start();
  records.add([pastCall(1), pastCall(2)]);
  store.db.run("UPDATE mcp_call SET outcome = 'postponed' WHERE id = 2");
  expect(records.look({}, 100, 10).calls.map(({ id }) => id)).toEqual([1]);
  stop();
});
