import { FakeClock } from "../../tests/support/fake-clock.ts";

/** A clock that starts in the past and can run fast, up to the present time. */
export class PastClock extends FakeClock {
  readonly #seconds: number;
  readonly #from = super.elapsed();

  /** `seconds` is how far in the past it begins. */
  constructor(seconds: number) {
    super();
    this.#seconds = seconds;
  }

  override now(): number {
    const passed = Math.min(this.elapsed() - this.#from, this.#seconds * 1000);
    return Date.now() - this.#seconds * 1000 + passed;
  }
}
