import type { Claim } from "../pool/claim.ts";
import type { OutputForm } from "../pool/job-spec.ts";
import type { RegisteredJob } from "../pool/jobs-registry.ts";
import { setNewest } from "../system/newest.ts";

/** The most pairs of model and form whose pace is known. Beyond that, the one that was learned first is forgotten. */
const MAX_PACES = 1000;
/** How much of what was learned before remains with each further job. */
const KEPT = 0.8;

/** Sums over the last jobs, of which long ones weigh more: the events around the text matter less in them. */
interface Pace {
  bytes: number;
  output: number;
}

/**
 * The output of streams that still run, told from their bytes: how many of them stand for one unit is learned from the
 * streams of the same model that have ended. It is looked at once a second, so that a chunk costs nothing.
 */
export class LiveOutput {
  readonly #paces = new Map<string, Pace>();
  /** The output of each running stream that was counted so far. */
  readonly #counted = new Map<Claim, number>();
  #total = 0;

  /** The output of all running streams. It falls when one of them ends. */
  get total(): number {
    return this.#total;
  }

  /** Calls `add` for each stream with the output that it has made since the last look. */
  look(jobs: Iterable<RegisteredJob>, add: (claim: Claim, output: number) => void): void {
    for (const { claim, outputForm, bytesOut, isWaiting } of jobs) {
      if (!claim || !outputForm || isWaiting || bytesOut === 0) continue;
      const counted = this.#counted.get(claim) ?? 0;
      const more = bytesOut / this.#bytesPerUnit(claim.model, outputForm) - counted;
      if (more <= 0) continue;
      this.#counted.set(claim, counted + more);
      this.#total += more;
      add(claim, more);
    }
  }

  /** Forgets a stream that has ended. Returns how much of its output was counted while it ran. */
  end(claim: Claim | undefined): number {
    const counted = claim && this.#counted.get(claim);
    if (claim === undefined || counted === undefined) return 0;
    this.#counted.delete(claim);
    // Sums of fractions leave a rest, and without streams there is no output.
    this.#total = this.#counted.size === 0 ? 0 : this.#total - counted;
    return counted;
  }

  /** Learns from a stream that has ended and stated its output. */
  learn(model: string, form: OutputForm, bytes: number, output: number): void {
    if (bytes <= 0 || output <= 0) return;
    const key = keyOf(model, form);
    const pace = this.#paces.get(key);
    if (pace) {
      pace.bytes = pace.bytes * KEPT + bytes;
      pace.output = pace.output * KEPT + output;
      return;
    }
    setNewest(this.#paces, key, { bytes, output }, MAX_PACES);
  }

  #bytesPerUnit(model: string, form: OutputForm): number {
    const pace = this.#paces.get(keyOf(model, form));
    return pace ? pace.bytes / pace.output : form.bytesPerUnit;
  }
}

function keyOf(model: string, { name }: OutputForm): string {
  return `${name} ${model}`;
}
