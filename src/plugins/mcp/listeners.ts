/** A call that only listens. */
export interface Listener {
  /** Ends the call in order, as far as its answer allows. MUST do nothing after the end. */
  endListening(): void;
}

/** The running calls that only listen. They have no end of their own, so a drain ends them. */
export class Listeners {
  readonly #running = new Set<Listener>();
  #isOver = false;

  /** Adds a call that has been sent to its relay; ends it at once after `endAll`. */
  add(listener: Listener): void {
    if (this.#isOver) listener.endListening();
    else this.#running.add(listener);
  }

  /** Removes a call that has ended. */
  remove(listener: Listener): void {
    this.#running.delete(listener);
  }

  /** Ends every call, and from now on each that is added. */
  endAll(): void {
    this.#isOver = true;
    for (const listener of [...this.#running]) listener.endListening();
  }
}
