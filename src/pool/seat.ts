import { capacityOf, type Session } from "../tunnel/session.ts";
import { aliasKey } from "./alias.ts";
import { createRanked, type Ranked } from "./ranking.ts";

/** What a worker has done since it took its seat. */
export interface SeatTotals {
  processed: number;
  failures: number;
  processingMs: number;
  inputTokens: number;
  outputTokens: number;
  audioSeconds: number;
  /** The last failure in our words; undefined while there was none. */
  lastError: string | undefined;
}

/** A session in a pool, with its busy count: the counter that decides who gets a job. Only the pool changes it. */
export class Seat {
  readonly session: Session;
  readonly totals: SeatTotals = {
    processed: 0,
    failures: 0,
    processingMs: 0,
    inputTokens: 0,
    outputTokens: 0,
    audioSeconds: 0,
    lastError: undefined,
  };
  busy = 0;
  /** What the session offered when the pool last looked, so that a change can be compared. */
  models: readonly string[] = [];
  capacity = 0;
  /** This seat's place in the ranking of each model it serves. */
  readonly byModel = new Map<string, Ranked<Seat>>();
  /** Its place in the rankings of what its models can stand in for, with the model it would use. */
  readonly byAlias = new Map<string, { readonly place: Ranked<Seat>; readonly model: string }>();

  constructor(session: Session) {
    this.session = session;
  }

  get load(): number {
    return this.capacity === 0 ? 1 : this.busy / this.capacity;
  }

  get hasRoom(): boolean {
    return this.busy < this.capacity;
  }

  /** Takes over what the session offers now. */
  refresh(): void {
    this.models = this.session.offer.models;
    this.capacity = capacityOf(this.session.offer);
    this.byModel.clear();
    this.byAlias.clear();
    for (const model of this.models) {
      this.byModel.set(model, createRanked<Seat>(this));
      const alias = aliasKey(model);
      if (alias !== undefined && !this.byAlias.has(alias))
        this.byAlias.set(alias, { place: createRanked<Seat>(this), model });
    }
  }
}
