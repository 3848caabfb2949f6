import type { Clock } from "../system/deps.ts";
import { KnownFor } from "./known-for.ts";
import type { Seat } from "./seat.ts";

/** The names of models, their aliases and workers that the callers of each tenant may know. */
export class VisibleNames {
  readonly #names: KnownFor;

  constructor(clock: Clock, graceMs: number) {
    this.#names = new KnownFor(clock, graceMs);
  }

  /** Whether some worker serves or served only certain tenants. While none does, all callers know the same names. */
  get isDivided(): boolean {
    return this.#names.isDivided;
  }

  /** Notes the names of a seat. Each call MUST be followed by one `left`, before the seat has others. */
  arrived(seat: Seat): void {
    for (const name of namesOf(seat)) this.#names.arrived(name, seat.tenants);
  }

  left(seat: Seat): void {
    for (const name of namesOf(seat)) this.#names.left(name, seat.tenants);
  }

  hasModel(model: string, tenant: string): boolean {
    return this.#names.has(model, tenant);
  }

  hasAlias(alias: string, tenant: string): boolean {
    return this.#names.has(aliasName(alias), tenant);
  }

  hasWorker(workerId: string, tenant: string): boolean {
    return this.#names.has(workerName(workerId), tenant);
  }
}

function* namesOf({ byModel, byAlias, session }: Seat): Generator<string> {
  yield* byModel.keys();
  for (const alias of byAlias.keys()) yield aliasName(alias);
  yield workerName(session.worker.id);
}

/** Names an alias beside models, none of which has a line break in its name. */
function aliasName(alias: string): string {
  return `\n${alias}`;
}

function workerName(workerId: string): string {
  return `\r${workerId}`;
}
