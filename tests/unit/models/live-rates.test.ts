import { expect, test } from "bun:test";
import { ANONYMOUS } from "../../../src/auth/caller.ts";
import { createMetrics } from "../../../src/figures/metrics.ts";
import { ModelArea } from "../../../src/models/model-area.ts";
import { Job } from "../../../src/pool/job.ts";
import type { OutputForm } from "../../../src/pool/job-spec.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { defaultConfig } from "../../support/default-config.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { NOBODY } from "../../support/nobody.ts";
import { ScriptedSource } from "../../support/scripted-source.ts";

const FORM: OutputForm = { name: "chat", bytesPerUnit: 100 };

/** An area with one worker and one stream on it, whose tokens the test chooses at its end. */
function setUp() {
  const clock = new FakeClock();
  const deps = { clock, ids: systemIds, log: silentLog };
  const sessions = new ScriptedSource(clock);
  const metrics = createMetrics("1");
  const area = new ModelArea({ pluginId: "llm", config: defaultConfig(), deps, metrics, sessions, version: "1" });
  const worker = sessions.intakes[0]?.join("w", ["m"], 4) ?? expect.unreachable();
  let output: number | undefined;
  const stream = () => {
    const at = worker.exchanges.length;
    area.began();
    const job: Job = new Job(
      area.pool,
      clock,
      {
        requestId: "r",
        caller: ANONYMOUS,
        kind: "chat.completions",
        outputForm: FORM,
        model: "m",
        exact: false,
        silenceMs: 1e9,
        stallMs: 1e9,
        request: () => ({ head: { method: "POST", path: "/", headers: [] }, body: new Uint8Array(0) }),
      },
      { onHead: () => {}, onData: (bytes) => job.consumed(bytes.length), onEnd: () => {} },
      (report) => {
        const usage = output === undefined ? undefined : { input_tokens: 1, output_tokens: output };
        area.ended({ requestId: "r", caller: NOBODY, model: "m", report, usage, outputForm: FORM, bytesIn: 0 });
      },
    );
    job.start();
    const exchange = worker.exchanges[at] ?? expect.unreachable();
    exchange.head({ status: 200, headers: [] });
    return exchange;
  };
  const end = (exchange: ReturnType<typeof stream>, tokens: number | undefined): void => {
    output = tokens;
    exchange.finish({ kind: "complete" });
  };
  /** Lets seconds pass in which a stream sends so many bytes each, and returns the tokens of each second. */
  const seconds = (count: number, exchange?: ReturnType<typeof stream>, bytes = 0): readonly number[] =>
    Array.from({ length: count }, () => {
      const before = area.pulse().tokens ?? 0;
      clock.advance(1000);
      if (exchange && bytes > 0) exchange.data(new Uint8Array(bytes));
      return (area.pulse().tokens ?? 0) - before;
    });
  /** Tokens per second over the last minute, which is measured to five seconds: of the model, and of the worker. */
  const rates = () => {
    const { models, workers } = area.state();
    const rounded = (rate: number | null | undefined) => (typeof rate === "number" ? Math.round(rate) : rate);
    return [rounded(models[0]?.tokens_per_s), rounded(workers[0]?.tokens_per_s)];
  };
  return { area, metrics, stream, end, seconds, rates };
}

test("a long stream counts in the second in which it makes its output, for its model, its worker and the server", () => {
  const { stream, end, seconds, rates } = setUp();
  const running = stream();
  expect(seconds(59, running, 1000)).toEqual(Array.from({ length: 59 }, () => 10));
  expect(rates()).toEqual([10, 10]);
  end(running, 590);
  expect(rates()).toEqual([10, 10]);
  expect(seconds(1)).toEqual([0]);
});

test("its end adds what was missing, and counts nothing twice", async () => {
  const { metrics, area, stream, end, seconds } = setUp();
  const running = stream();
  seconds(10, running, 1000);
  end(running, 130);
  expect(area.pulse().tokens).toBe(130);
  expect(area.state().workers[0]?.output_tokens_total).toBe(130);
  expect(await metrics.text()).toContain('moorage_tokens_total{plugin="llm",model="m",direction="output"} 130');
});

test("a stream that had less than was told from its bytes stops the sum until that is made up for, and lowers the rates", () => {
  const { area, stream, end, seconds, rates } = setUp();
  const running = stream();
  seconds(30, running, 2000);
  expect(rates()).toEqual([10, 10]);
  end(running, 300);
  expect(area.pulse().tokens).toBe(600);
  expect(rates()).toEqual([5, 5]);
  // From now on a token is known to take 200 bytes.
  const next = stream();
  expect(seconds(40, next, 2000).reduce((sum, each) => sum + each, 0)).toBe(100);
});

test("the rates after a long stream are those of its last minute, whatever its bytes told", () => {
  const { stream, end, seconds, rates } = setUp();
  const running = stream();
  seconds(599, running, 2000);
  expect(rates()).toEqual([20, 20]);
  end(running, 5990);
  expect(rates()).toEqual([10, 10]);
  seconds(120);
  expect(rates()).toEqual([0, 0]);
});

test("a stream that stated nothing leaves no rate behind", () => {
  const { stream, end, seconds, rates } = setUp();
  const running = stream();
  seconds(10, running, 1000);
  end(running, undefined);
  expect(rates()).toEqual([0, null]);
});
