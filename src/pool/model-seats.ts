import { Ranking } from "./ranking.ts";
import type { Accepts, RankedSeats } from "./routing/route-policy.ts";
import type { Seat, SeatModel } from "./seat.ts";

/** The seats that serve one model. The directory keeps them. */
export class ModelSeats implements RankedSeats {
  readonly model: string;
  /** Those with room. */
  readonly ranking = new Ranking<SeatModel>();
  /** How many seats serve the model. */
  size = 0;
  ready = 0;
  readonly #bySession: ReadonlyMap<string, Seat>;

  /** `bySession` are all seats of the pool, by the ids of their sessions. */
  constructor(model: string, bySession: ReadonlyMap<string, Seat>) {
    this.model = model;
    this.#bySession = bySession;
  }

  first(accepts?: Accepts): SeatModel | undefined {
    return this.ranking.first(accepts);
  }

  ofSession(sessionId: string): SeatModel | undefined {
    return this.#bySession.get(sessionId)?.byModel.get(this.model);
  }
}
