/** How often the tracks of a timeline get a point. */
export const POINT_MS = 5000;

/** Number of points kept: a quarter of an hour. */
export const POINTS = 180;

/** The times of the points that all tracks have in common. Only its owner calls `tick`. */
export class Timeline {
  readonly #times = new Float64Array(POINTS);
  #tick = -1;

  /** The number of the last point, from 0 on; -1 before the first. */
  get tick(): number {
    return this.#tick;
  }

  /** Begins the next point; `at` is its time in milliseconds since 1970. Returns its number. */
  next(at: number): number {
    this.#tick += 1;
    this.#times[this.#tick % POINTS] = at;
    return this.#tick;
  }

  /** The number of the oldest point that is kept. */
  get oldest(): number {
    return Math.max(0, this.#tick - POINTS + 1);
  }

  timeOf(tick: number): number {
    return this.#times[tick % POINTS] ?? 0;
  }
}

/**
 * The history of one thing in some columns: a ring of numbers for each, 720 bytes a column. A point that it was not given is
 * null, and so is NaN.
 */
export class Track<C extends string> {
  readonly #columns: readonly C[];
  readonly #values: Float32Array;
  /** The first and the last point that it has; none while the last is before the first. */
  #first = 0;
  #last = -1;

  constructor(columns: readonly C[]) {
    this.#columns = columns;
    this.#values = new Float32Array(columns.length * POINTS);
  }

  /** The number of its last point; -1 before the first. */
  get last(): number {
    return this.#last;
  }

  /** Sets the values of a point, in the order of the columns. Points are added in the order of their numbers. */
  add(tick: number, values: readonly number[]): void {
    if (this.#last < 0 || tick - this.#last > POINTS) this.#first = tick;
    else for (let gap = this.#last + 1; gap < tick; gap += 1) this.#fill(gap);
    this.#last = tick;
    for (let column = 0; column < values.length; column += 1)
      this.#values[column * POINTS + (tick % POINTS)] = values[column] ?? Number.NaN;
  }

  /** Returns the columns from its first point that the timeline still has to the timeline's last, and the times of the points. */
  read(timeline: Timeline): Readonly<Record<"at" | C, readonly (number | null)[]>> {
    const from = Math.max(this.#first, timeline.oldest);
    const length = this.#last < from ? 0 : timeline.tick - from + 1;
    const points = (read: (tick: number) => number | null) => Array.from({ length }, (_, point) => read(from + point));
    const columns = this.#columns.map((name, column) => [name, points((tick) => this.#value(column, tick))] as const);
    // Has each of the columns, and `at`.
    return Object.fromEntries([["at", points((tick) => timeline.timeOf(tick))], ...columns]) as Record<
      "at" | C,
      (number | null)[]
    >;
  }

  #value(column: number, tick: number): number | null {
    const value = tick > this.#last ? Number.NaN : (this.#values[column * POINTS + (tick % POINTS)] ?? Number.NaN);
    // Float32 keeps seven digits, of which the last one or two are noise.
    return Number.isNaN(value) ? null : Math.round(value * 100) / 100;
  }

  #fill(tick: number): void {
    for (let column = 0; column < this.#columns.length; column += 1)
      this.#values[column * POINTS + (tick % POINTS)] = Number.NaN;
  }
}
