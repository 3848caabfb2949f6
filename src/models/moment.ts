/** A time by both clocks. */
export interface Moment {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** `Clock.elapsed`. */
  readonly elapsed: number;
}
