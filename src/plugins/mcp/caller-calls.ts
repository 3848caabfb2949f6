import { grantFault } from "../../auth/grant-fault.ts";
import type { Fault } from "../../errors.ts";

/** A call of a caller whom this server has let in, while it runs. */
export interface CallerCall {
  readonly keyId: string | undefined;
  readonly grantId: string | undefined;
  /** Whether the caller may use exactly as much of the relay as when the call began. */
  isUnchanged(): boolean;
  /** Ends the call with a fault. MUST do nothing after the end. */
  end(fault: Fault): void;
  /** Ends it in order if it only listens, so that its client listens again; else it goes on. */
  endListening(): void;
}

/** The running calls of callers whom this server has let in. They end with the keys and grants behind them. */
export class CallerCalls {
  readonly #running = new Set<CallerCall>();

  /** How many calls run. */
  get size(): number {
    return this.#running.size;
  }

  /** Adds a call until the returned function is called. */
  add(call: CallerCall): () => void {
    this.#running.add(call);
    return () => {
      this.#running.delete(call);
    };
  }

  /**
   * Ends the calls of keys for which `judge` returns an error. Calls that only listen end in order if their key allows something else
   * now, because they go on under what it allowed when they began.
   */
  endRequests(judge: (keyId: string) => Fault | undefined): void {
    for (const call of [...this.#running]) {
      const fault = call.keyId === undefined ? undefined : judge(call.keyId);
      if (fault) call.end(fault);
      else if (!call.isUnchanged()) call.endListening();
    }
  }

  /** Ends the calls of a grant. Calls that still wait for their relay are refused by the door. */
  endGrant(grantId: string): void {
    for (const call of [...this.#running]) if (call.grantId === grantId) call.end(grantFault());
  }
}
