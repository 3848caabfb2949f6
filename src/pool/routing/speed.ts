/** The amounts of one served job that tell how fast its worker is. Units are those of the usage, as tokens. */
export interface SpeedSample {
  /** Input that the worker had to process: without what its cache had. Undefined if that is not known. */
  readonly input: number | undefined;
  readonly output: number;
  /** Milliseconds from the request to the first byte of the answer. */
  readonly firstByteMs: number;
  /** Milliseconds from the request to the end of the answer. */
  readonly runningMs: number;
}

/** The weight of a new sample. */
const WEIGHT = 0.1;
/** Samples after which a rate counts. */
const ENOUGH = 5;
/** Samples after which leaving one out changes little: five times the ten that a weight of 0.1 remembers. */
const SETTLED = 50;
/** An answer that comes in a smaller part of its time came as a whole, so its two rates cannot be told apart. */
const STREAMED_SHARE = 0.05;

/**
 * A rate per second, of moving averages of amounts and times. A long job therefore counts for more than a short one, whose
 * time is mostly that of the network.
 */
class Rate {
  #amount = 0;
  #ms = 0;
  #samples = 0;

  /** Undefined before there are enough samples. */
  get value(): number | undefined {
    return this.#samples < ENOUGH ? undefined : (this.#amount * 1000) / Math.max(1, this.#ms);
  }

  add(amount: number, ms: number): void {
    this.#samples += 1;
    // Plain averages at first, so that the first job does not count for more than the others.
    const weight = Math.max(WEIGHT, 1 / this.#samples);
    this.#amount += (amount - this.#amount) * weight;
    this.#ms += (ms - this.#ms) * weight;
  }
}

/** The measured speed of one worker with one model. */
export class Speed {
  readonly #prefill = new Rate();
  readonly #decode = new Rate();
  #measuredAt = Number.NEGATIVE_INFINITY;
  #samples = 0;

  /** Input per second until the first byte, without what came from a cache; undefined before five samples. */
  get prefill(): number | undefined {
    return this.#prefill.value;
  }

  /** Output per second; undefined before five samples. */
  get decode(): number | undefined {
    return this.#decode.value;
  }

  /** Whether it comes from so many samples that single ones may be left out. */
  get isSettled(): boolean {
    return this.#samples >= SETTLED;
  }

  /** `Clock.elapsed` of the last sample. */
  get measuredAt(): number {
    return this.#measuredAt;
  }

  /** Takes in a job that was served well. Returns the part of its time before the first byte, if its answer was streamed. */
  add({ input = 0, output, firstByteMs, runningMs }: SpeedSample, now: number): number | undefined {
    const decodeMs = runningMs - firstByteMs;
    const isStreamed = decodeMs > STREAMED_SHARE * runningMs;
    if (input > 0 && (isStreamed || output === 0)) this.#prefill.add(input, firstByteMs);
    if (output > 0) this.#decode.add(output, isStreamed ? decodeMs : runningMs);
    this.#measuredAt = now;
    this.#samples += 1;
    return isStreamed && runningMs > 0 ? firstByteMs / runningMs : undefined;
  }
}
