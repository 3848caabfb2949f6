import { openStore } from "../../src/store/store.ts";
import { createUsageRows } from "../../src/store/usage-rows.ts";
import { silentLog } from "../../src/system/log.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { describeUsageRecords } from "./usage-records.ts";

describeUsageRecords("usage in the store", () => {
  const directory = temporaryDirectory();
  const store = openStore(directory.path, { clock: new FakeClock(), log: silentLog });
  return {
    records: createUsageRows(store),
    stop() {
      store.close();
      directory.remove();
    },
  };
});
