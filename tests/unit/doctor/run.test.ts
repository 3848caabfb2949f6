import { expect, test } from "bun:test";
import { bad, type Check, type Finding, good, warning } from "../../../src/doctor/check.ts";
import { isSound, runChecks } from "../../../src/doctor/run.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function check(id: string, needs: readonly string[], run: Check["run"] | Finding): Check {
  return { id, title: id.toUpperCase(), needs, limitMs: 1000, run: typeof run === "function" ? run : async () => run };
}

const never = (): Promise<Finding> => new Promise(() => {});

test("a check is skipped if one that it depends on is bad, and so are those that depend on it", async () => {
  const plan = [
    [check("a", [], bad("no", "mend"))],
    [check("b", ["a"], good("never seen"))],
    [check("c", ["b"], good("never seen"))],
    [check("d", [], good("on its own"))],
  ];
  const results = await runChecks(plan, new FakeClock());
  expect(results.map(({ verdict }) => verdict)).toEqual(["bad", "skipped", "skipped", "good"]);
  expect(results[2]?.measured).toBe('skipped because "A" failed');
  expect(isSound(results)).toBe(false);
});

test("a warning skips no dependent check, and does not make the deployment bad", async () => {
  const results = await runChecks(
    [[check("a", [], warning("soon", "renew"))], [check("b", ["a"], good(""))]],
    new FakeClock(),
  );
  expect(results.map(({ verdict }) => verdict)).toEqual(["warning", "good"]);
  expect(isSound(results)).toBe(true);
});

test("a check that exceeds its time limit is bad and is aborted", async () => {
  const clock = new FakeClock();
  let isStopped = false;
  const slow = check("a", [], (signal) => {
    signal.addEventListener("abort", () => {
      isStopped = true;
    });
    return never();
  });
  const running = runChecks([[slow]], clock);
  clock.advance(1000);
  expect(await running).toMatchObject([{ verdict: "bad", measured: "no result within 1 s", elapsedMs: 1000 }]);
  expect(isStopped).toBe(true);
});

test("a check that throws is bad, with the system's error code, and the next one runs", async () => {
  const broken = check("a", [], () => Promise.reject(Object.assign(new Error("to 10.0.0.1"), { code: "EPIPE" })));
  const results = await runChecks([[broken], [check("b", [], good(""))]], new FakeClock());
  expect(results).toMatchObject([{ verdict: "bad", measured: "broke off: EPIPE" }, { verdict: "good" }]);
});

test("checks of one group run at the same time and are reported in order", async () => {
  const first = Promise.withResolvers<Finding>();
  const told: string[] = [];
  const plan = [
    [
      check("a", [], () => first.promise),
      check("b", [], async () => {
        first.resolve(good("after b began"));
        return good("");
      }),
    ],
  ];
  await runChecks(plan, new FakeClock(), ({ id }) => told.push(id));
  expect(told).toEqual(["a", "b"]);
});
