import type { Intake, IntakeOptions, SessionSource } from "../../src/tunnel/session-source.ts";
import type { Close } from "../../src/wire/closes.ts";
import type { FakeClock } from "./fake-clock.ts";
import { ScriptedSession } from "./scripted-session.ts";

/** A source without sockets, whose sessions a test supplies. Every intake records the calls of its area. */
export class ScriptedSource implements SessionSource {
  readonly intakes: ScriptedIntake[] = [];
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  createIntake(options: IntakeOptions): ScriptedIntake {
    const intake = new ScriptedIntake(options, this.#clock);
    this.intakes.push(intake);
    return intake;
  }
}

export class ScriptedIntake implements Intake {
  readonly options: IntakeOptions;
  readonly drains: string[] = [];
  readonly closes: Close[] = [];
  readonly #clock: FakeClock;
  readonly #sessions: ScriptedSession[] = [];

  constructor(options: IntakeOptions, clock: FakeClock) {
    this.options = options;
    this.#clock = clock;
  }

  /** Supplies a session of this worker. */
  join(workerId: string, models: readonly string[], slots: number): ScriptedSession {
    const session = new ScriptedSession(workerId, models, slots, this.#clock);
    session.host = this.options.pool;
    this.#sessions.push(session);
    this.options.pool.onOpened(session);
    return session;
  }

  upgrade(): undefined {
    throw new Error("this source has no sockets");
  }

  knows(workerId: string): boolean {
    return this.#sessions.some(({ worker }) => worker.id === workerId);
  }

  handOver(): void {}

  drain(reason: string): void {
    this.drains.push(reason);
  }

  close({ code, reason }: Close): void {
    this.closes.push({ code, reason });
    for (const session of this.#sessions) session.close({ code, reason });
  }
}
