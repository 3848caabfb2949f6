import { describe, expect, test } from "bun:test";
import { ModelSpeeds } from "../../../../src/pool/routing/model-speeds.ts";
import { Speed, type SpeedSample } from "../../../../src/pool/routing/speed.ts";

const NOW = 1_000_000;

function measured(sample: SpeedSample, times = 5, now = NOW): Speed {
  const speed = new Speed();
  for (let at = 0; at < times; at += 1) speed.add(sample, now);
  return speed;
}

/** A stream of a worker that is `pace` times as fast as usual. */
const streamed = (pace: number): SpeedSample => ({
  input: 1000,
  output: 100,
  firstByteMs: 500 / pace,
  runningMs: 2500 / pace,
});

describe("the speed of a worker", () => {
  test("counts after five jobs", () => {
    expect(measured(streamed(1), 4).decode).toBeUndefined();
    const speed = measured(streamed(1), 5);
    expect(speed.prefill).toBeCloseTo(2000);
    expect(speed.decode).toBeCloseTo(50);
  });

  test("follows a change by a tenth with each job", () => {
    const speed = measured(streamed(1), 100);
    speed.add({ input: 1000, output: 100, firstByteMs: 500, runningMs: 4500 }, NOW);
    expect(speed.decode).toBeCloseTo(100_000 / (0.9 * 2000 + 0.1 * 4000));
  });

  test("cannot tell input from output in an answer that comes as a whole", () => {
    const speed = measured({ input: 1000, output: 100, firstByteMs: 2499, runningMs: 2500 });
    expect(speed.prefill).toBeUndefined();
    expect(speed.decode).toBeCloseTo(40);
  });

  test("is that of its input where there is no output, as with embeddings and audio", () => {
    const speed = measured({ input: 30, output: 0, firstByteMs: 1000, runningMs: 1000 });
    expect([speed.prefill, speed.decode]).toEqual([30, undefined]);
  });

  test("says nothing of input that came from a cache alone", () => {
    expect(measured({ input: 0, output: 100, firstByteMs: 10, runningMs: 2000 }).prefill).toBeUndefined();
    expect(measured({ input: undefined, output: 100, firstByteMs: 10, runningMs: 2000 }).prefill).toBeUndefined();
  });
});

describe("the pace of a worker", () => {
  const paces = (speeds: readonly (Speed | undefined)[], now = NOW): number[] => {
    const model = new ModelSpeeds();
    model.update(speeds, now);
    return speeds.map((speed) => Math.round(100 * model.paceOf(speed, now)) / 100);
  };

  test("is its speed by comparison with the median of the model's workers", () => {
    expect(paces([measured(streamed(2)), measured(streamed(1)), measured(streamed(0.5))])).toEqual([2, 1, 0.5]);
    expect(paces([measured(streamed(4)), measured(streamed(1))])).toEqual([2, 0.5]);
  });

  test("is between a quarter and four", () => {
    expect(paces([measured(streamed(100)), measured(streamed(1)), measured(streamed(0.01))])).toEqual([4, 1, 0.25]);
  });

  test("is one for a worker that is not measured, and where there is nobody to compare with", () => {
    expect(paces([undefined, measured(streamed(2)), measured(streamed(1))])[0]).toBe(1);
    expect(paces([measured(streamed(2), 4), measured(streamed(1)), measured(streamed(1))])[0]).toBe(1);
    expect(paces([measured(streamed(2))])).toEqual([1]);
  });

  test("is forgotten after ten minutes without a job, so that a worker which was slow for a time gets jobs again", () => {
    const [old, fresh, other] = [measured(streamed(0.5), 5, 0), measured(streamed(1)), measured(streamed(1))];
    expect(paces([old, fresh, other], 10 * 60_000 - 1)).toEqual([0.5, 1, 1]);
    expect(paces([old, fresh, other], 10 * 60_000)).toEqual([1, 1, 1]);
  });

  test("counts input and output by the time that jobs of the model spend with each", () => {
    const slowInput = measured({ input: 1000, output: 100, firstByteMs: 1000, runningMs: 3000 });
    const usual = [measured(streamed(1)), measured(streamed(1))];
    const paceWith = (share: number): number => {
      const model = new ModelSpeeds();
      for (let at = 0; at < 100; at += 1) model.add(share, 3);
      model.update([slowInput, ...usual], NOW);
      return model.paceOf(slowInput, NOW);
    };
    expect(paceWith(1)).toBeCloseTo(0.5, 1);
    expect(paceWith(0)).toBeCloseTo(1, 1);
  });

  test("is compared again after as many jobs as there are workers, but not after fewer than eight", () => {
    const model = new ModelSpeeds();
    const added = (workers: number): number => {
      model.update([], NOW);
      for (let jobs = 1; ; jobs += 1) if (model.add(0.2, workers)) return jobs;
    };
    expect([added(2), added(5000)]).toEqual([8, 5000]);
  });
});
