import type { CancelTimer, Clock } from "../system/deps.ts";

export interface LoadedWatchOptions {
  /** Asks the backend which models it has in memory. Resolves with the time at which that changes by itself, if it is known. */
  readonly ask: () => Promise<number | undefined>;
  /** Returns how many jobs run. */
  readonly running: () => number;
  readonly clock: Clock;
}

/** How long after a job began the backend is first asked: by then, it has decided what to load. */
const FIRST_MS = 1000;
/** The shortest time between two questions, however many jobs begin. */
const GAP_MS = 2000;
/** How often it is asked while jobs run, and shortly after. */
const EVERY_MS = 5000;
/** How long after the last job it is asked: a load that a job began may go on without it. */
const AFTER_MS = 15_000;
/** The time between a model's expiry and the question, so that the backend has unloaded the model by then. */
const EXPIRY_MARGIN_MS = 1500;
/** The longest wait for an expiry. Later ones are noticed by the next probe of the backend. */
const MAX_EXPIRY_MS = 60 * 60_000;

/**
 * Decides when to ask which models are loaded. Jobs are what loads and unloads models, so the backend is asked while jobs
 * run, for a while after them, and once when an idle model expires. A worker without jobs asks nothing.
 */
export class LoadedWatch {
  readonly #options: LoadedWatchOptions;
  /** `Clock.elapsed` until which the backend is asked without a running job. */
  #askUntil = 0;
  #cancelTimer: CancelTimer | undefined;
  /** When the timer fires, as `Clock.elapsed`. */
  #firesAt = Number.POSITIVE_INFINITY;
  #askedAt = Number.NEGATIVE_INFINITY;
  #isAsking = false;
  #isStopped = false;

  constructor(options: LoadedWatchOptions) {
    this.#options = options;
  }

  /** Called for each job, when it begins. */
  handleJob(): void {
    const now = this.#options.clock.elapsed();
    this.#askUntil = now + AFTER_MS;
    if (this.#isAsking || this.#isStopped || this.#firesAt <= now + GAP_MS) return;
    this.#plan(Math.max(FIRST_MS, this.#askedAt + GAP_MS - now));
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
  }

  #plan(ms: number): void {
    const { clock } = this.#options;
    this.#cancelTimer?.();
    this.#firesAt = clock.elapsed() + ms;
    this.#cancelTimer = clock.after(ms, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const { ask, running, clock } = this.#options;
    this.#firesAt = Number.POSITIVE_INFINITY;
    this.#askedAt = clock.elapsed();
    this.#isAsking = true;
    const expiresAt = await ask();
    this.#isAsking = false;
    if (this.#isStopped) return;
    if (running() > 0) this.#askUntil = clock.elapsed() + AFTER_MS;
    if (clock.elapsed() < this.#askUntil) return this.#plan(EVERY_MS);
    const expiresInMs = (expiresAt ?? Number.POSITIVE_INFINITY) - clock.now();
    // A time that has passed was the backend's mistake, or its clock differs from this one.
    if (expiresInMs > 0 && expiresInMs < MAX_EXPIRY_MS) this.#plan(expiresInMs + EXPIRY_MARGIN_MS);
  }
}
