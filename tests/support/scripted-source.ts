import type { Intake, IntakeOptions, SessionSource } from "../../src/tunnel/session-source.ts";
import type { Close } from "../../src/wire/closes.ts";
import { ScriptedSession } from "./scripted-session.ts";

/** A source without sockets: a test decides which sessions there are. Every intake records what its area asks of it. */
export class ScriptedSource implements SessionSource {
  readonly intakes: ScriptedIntake[] = [];

  createIntake(options: IntakeOptions): ScriptedIntake {
    const intake = new ScriptedIntake(options);
    this.intakes.push(intake);
    return intake;
  }
}

export class ScriptedIntake implements Intake {
  readonly options: IntakeOptions;
  readonly drains: string[] = [];
  readonly closes: Close[] = [];
  readonly #sessions: ScriptedSession[] = [];

  constructor(options: IntakeOptions) {
    this.options = options;
  }

  /** Supplies a session of this worker. */
  join(workerId: string, models: readonly string[], slots: number): ScriptedSession {
    const session = new ScriptedSession(workerId, models, slots);
    session.host = this.options.pool;
    this.#sessions.push(session);
    this.options.pool.onOpened(session);
    return session;
  }

  upgrade(): undefined {
    throw new Error("this source has no sockets");
  }

  drain(reason: string): void {
    this.drains.push(reason);
  }

  close({ code, reason }: Close): void {
    this.closes.push({ code, reason });
    for (const session of this.#sessions) session.close({ code, reason });
  }
}
