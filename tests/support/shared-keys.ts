import type { KeyEntry } from "../../src/keys/key-entry.ts";
import type { KeysStanding, SharedKeys, SharedKeysListener, SharedWrite } from "../../src/keys/shared-keys.ts";

/** Keys that any number of servers share, in memory. A change of one server is told to the others by `deliver` alone. */
export class SharedKeysInMemory {
  readonly #entries = new Map<string, KeyEntry>();
  readonly #views: View[] = [];

  /** Returns the keys as one more server reaches them. */
  open(): View {
    const view = new View(this.#entries);
    this.#views.push(view);
    return view;
  }

  entries(): readonly KeyEntry[] {
    return [...this.#entries.values()];
  }

  /** Tells each server what it has not heard. */
  deliver(): void {
    for (const view of this.#views) view.deliver();
  }
}

/** The keys as one server reaches them. */
export class View implements SharedKeys {
  readonly #entries: Map<string, KeyEntry>;
  readonly #heard = new Map<string, KeyEntry>();
  #listener: SharedKeysListener | undefined;
  /** The outcome of the next writes, in place of what would happen. `lost` ones are made, and nobody learns of it. */
  readonly next: (SharedWrite | "lost")[] = [];
  /** What is done while a write is on its way. */
  meanwhile: () => void = () => {};
  stands: KeysStanding = { kind: "current" };

  constructor(entries: Map<string, KeyEntry>) {
    this.#entries = entries;
  }

  standing(): KeysStanding {
    return this.stands;
  }

  async write(entry: KeyEntry): Promise<SharedWrite> {
    const before = this.#heard.get(entry.id);
    await Promise.resolve();
    this.meanwhile();
    const outcome = this.next.shift() ?? "written";
    if (outcome === "unknown" || outcome === "away") return outcome;
    if (outcome === "conflict" || this.#entries.get(entry.id) !== before) {
      this.deliver();
      return "conflict";
    }
    this.#entries.set(entry.id, entry);
    if (outcome === "lost") return "unknown";
    this.#heard.set(entry.id, entry);
    return "written";
  }

  watch(listener: SharedKeysListener): void {
    this.#listener = listener;
    this.deliver();
  }

  onRead(): void {}

  deliver(): void {
    for (const [id, entry] of this.#entries) {
      if (this.#heard.get(id) === entry) continue;
      this.#heard.set(id, entry);
      this.#listener?.saved(entry);
    }
  }
}
