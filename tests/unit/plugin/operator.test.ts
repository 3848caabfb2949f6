import { expect, test } from "bun:test";
import { createWorkerOperator } from "../../../src/plugin/operator.ts";
import { type RestrictionListener, Restrictions } from "../../../src/plugin/restrictions.ts";
import type { Session } from "../../../src/tunnel/session.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("a worker that is connected here is drained and disconnected by operators of other servers too", () => {
  let listener: RestrictionListener | undefined;
  const records = {
    load: () => [],
    save: () => {},
    remove: () => {},
    watch: (given: RestrictionListener) => {
      listener = given;
    },
  };
  const done: string[] = [];
  const session = { close: ({ reason }: { reason: string }) => done.push(`close ${reason}`) };
  createWorkerOperator(new Restrictions({ clock: new FakeClock(), records }), {
    // The operator calls nothing else of a session.
    sessionOf: (id) => (id === "w" ? (session as unknown as Session) : undefined),
    isKnown: () => false,
    setDrained: (id, isDrained) => done.push(`drained ${id} ${isDrained}`),
  });
  const restriction = { workerName: undefined, by: "there", since: 5 };
  listener?.saved({ ...restriction, kind: "drained", workerId: "w" });
  listener?.removed("drained", "w");
  listener?.saved({ ...restriction, kind: "blocked", workerId: "w" });
  listener?.saved({ ...restriction, kind: "blocked", workerId: "elsewhere" });
  listener?.removed("blocked", "w");
  expect(done).toEqual(["drained w true", "drained w false", "close blocked by an operator"]);
});
