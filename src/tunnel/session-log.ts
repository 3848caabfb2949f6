import type { Clock, Log } from "../system/deps.ts";
import { RepeatedLines } from "../system/repeated-lines.ts";
import type { Close } from "../wire/closes.ts";
import type { Newcomer } from "./arrivals.ts";
import type { Hello } from "./greeting.ts";
import { type Session, UNBOUNDED } from "./session.ts";
import type { Applicant } from "./session-source.ts";

/** Writes the log lines about workers that come: those that got a session, and those that were refused. */
export class SessionLog {
  readonly #log: Log;
  readonly #refusals: RepeatedLines;

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#refusals = new RepeatedLines({ clock, write: (fields) => log.warn("session.refused", fields) });
  }

  opened({ id, worker, dialect, offer }: Session, { workerId, caller, applicant }: Newcomer): void {
    this.#log.info("session.opened", {
      session: id,
      worker: worker.id,
      name: worker.name,
      caller,
      address: applicant.address,
      version: worker.version,
      dialect,
      models: offer.models.length,
      // Relays of MCP servers declare no number.
      slots: offer.maxConcurrency === UNBOUNDED ? undefined : offer.maxConcurrency,
      asked_id: workerId === worker.id ? undefined : workerId,
    });
  }

  /** Anybody can cause this line, so it is summed up for each address and reason. */
  refused({ reason }: Close, { address }: Applicant, hello?: Hello): void {
    const fields = { reason, address, worker: hello?.workerId, name: hello?.name };
    this.#refusals.note(`${address} ${reason}`, fields, { reason, address: "others" });
  }
}
