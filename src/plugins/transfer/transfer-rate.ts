/** The rate at which a count grows, measured from one look to the next. */
export class TransferRate {
  #at: number;
  #bytes = 0;
  #bytesPerS: number | null = null;

  /** `now` is `Clock.elapsed` at the beginning. */
  constructor(now: number) {
    this.#at = now;
  }

  /** Null before the first look. */
  get bytesPerS(): number | null {
    return this.#bytesPerS;
  }

  /** Measures the rate; to be called about once a second. `bytes` is undefined while the bytes are not seen. */
  look(bytes: number | undefined, now: number): void {
    if (bytes === undefined || now <= this.#at) return;
    this.#bytesPerS = Math.round(((bytes - this.#bytes) * 1000) / (now - this.#at));
    this.#at = now;
    this.#bytes = bytes;
  }
}
