/** A request that grows in memory until it is complete. */
export interface Occupant {
  /** Called when there may be room again for an occupant that had none. */
  onRoom(): void;
}

/**
 * The memory that incomplete requests share. When it is used up, only the oldest request may grow, so that one is always
 * completed and makes room. Together they take at most the limit and one request more.
 */
export class RequestRoom {
  readonly #limitBytes: number;
  /** The bytes of each occupant, the oldest first. */
  readonly #occupants = new Map<Occupant, number>();
  #used = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get used(): number {
    return this.#used;
  }

  /** Whether an occupant may take more. One that has not occupied anything yet may if there is room. */
  hasRoomFor(occupant: Occupant): boolean {
    if (this.#used < this.#limitBytes) return true;
    return this.#occupants.keys().next().value === occupant;
  }

  /** Sets how many bytes an occupant has now. */
  occupy(occupant: Occupant, bytes: number): void {
    this.#used += bytes - (this.#occupants.get(occupant) ?? 0);
    this.#occupants.set(occupant, bytes);
  }

  /** Removes an occupant. Ignores one that has occupied nothing. */
  leave(occupant: Occupant): void {
    const bytes = this.#occupants.get(occupant);
    if (bytes === undefined) return;
    this.#occupants.delete(occupant);
    const wasFull = this.#used >= this.#limitBytes;
    this.#used -= bytes;
    if (!wasFull) return;
    for (const each of [...this.#occupants.keys()]) if (this.hasRoomFor(each)) each.onRoom();
  }
}
