import type { Speed } from "./speed.ts";

/** The limits of a pace. A worker that is even faster gets no more jobs for that, and a slower one no fewer. */
const SLOWEST = 0.25;
const FASTEST = 4;
/** The time after which a speed no longer counts: the worker may run on another machine by now. */
const STALE_MS = 10 * 60_000;
/** The fewest samples after which the usual speeds are looked at again. */
const FEWEST_SAMPLES = 8;
/** The weight of a new sample of the time before the first byte. */
const WEIGHT = 0.1;

/** The usual speeds of one model over its workers, and the paces of these workers by comparison. */
export class ModelSpeeds {
  #prefill: number | undefined;
  #decode: number | undefined;
  /** The part of a job's time before its first byte. */
  #prefillShare = 0.3;
  #samples = 0;

  /** Whether at least two workers were compared. */
  get isMeasured(): boolean {
    return this.#prefill !== undefined || this.#decode !== undefined;
  }

  /**
   * Counts a sample; `prefillShare` is the part of its time before the first byte, if that is known. Returns whether it is
   * time to `update`: after as many samples as there are workers, so that an update costs a constant time for each sample.
   */
  add(prefillShare: number | undefined, workers: number): boolean {
    if (prefillShare !== undefined) this.#prefillShare += (prefillShare - this.#prefillShare) * WEIGHT;
    this.#samples += 1;
    return this.#samples >= Math.max(FEWEST_SAMPLES, workers);
  }

  /** Looks at the speeds of all workers of the model. Their paces may have changed after it. */
  update(speeds: readonly (Speed | undefined)[], now: number): void {
    this.#samples = 0;
    const fresh = speeds.filter((speed) => speed !== undefined && now - speed.measuredAt < STALE_MS);
    this.#prefill = medianOf(fresh.map((speed) => speed?.prefill));
    this.#decode = medianOf(fresh.map((speed) => speed?.decode));
  }

  /**
   * Returns the speed of a worker as a multiple of what is usual for the model, from a quarter to four times. 1 for one
   * that is not measured. The two rates count by the time that jobs of the model spend with each.
   */
  paceOf(speed: Speed | undefined, now: number): number {
    if (!speed || now - speed.measuredAt >= STALE_MS) return 1;
    const prefill = ratio(this.#prefill, speed.prefill);
    const decode = ratio(this.#decode, speed.decode);
    const slowness = mixed(prefill, decode, this.#prefillShare);
    return slowness === undefined ? 1 : Math.min(FASTEST, Math.max(SLOWEST, 1 / slowness));
  }
}

function ratio(usual: number | undefined, own: number | undefined): number | undefined {
  return usual === undefined || own === undefined || own <= 0 ? undefined : usual / own;
}

function mixed(first: number | undefined, second: number | undefined, share: number): number | undefined {
  if (first === undefined) return second;
  return second === undefined ? first : share * first + (1 - share) * second;
}

/** The median of at least two numbers: there is nothing to compare one worker with. */
function medianOf(numbers: readonly (number | undefined)[]): number | undefined {
  const sorted = numbers.filter((each) => each !== undefined).sort((a, b) => a - b);
  if (sorted.length < 2) return undefined;
  const middle = sorted.length >>> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : Math.sqrt(upper * (sorted[middle - 1] ?? upper));
}
