import { Sum } from "./amounts.ts";
import type { UsageCell, UsageOwner } from "./usage-records.ts";

/** Stands for the models and end users that are not counted one by one. Names of models and digests have no brackets. */
export const OTHER = "(other)";

/** The most live cells. Beyond that, further models and end users of a key are counted as `OTHER`. */
const MAX_LIVE = 20_000;

/** What one owner has used within a period, or within a part of it. More can be added. */
export class Cell extends Sum implements UsageCell {
  readonly at: number;
  readonly key: string;
  readonly model: string;
  readonly endUser: string;

  constructor(at: number, { key, model, endUser }: UsageOwner) {
    super();
    this.at = at;
    this.key = key;
    this.model = model;
    this.endUser = endUser;
  }
}

/** The cells of the current minute, which still change, found by key and then by model and end user. */
export class LiveCells {
  #byKey = new Map<string, Map<string, Cell>>();
  #cells: Cell[] = [];

  get size(): number {
    return this.#cells.length;
  }

  all(): readonly Cell[] {
    return this.#cells;
  }

  /** Returns the cell of an owner, and creates it for the minute that begins at `at` if there is none. */
  of(at: number, owner: UsageOwner): Cell {
    let ofKey = this.#byKey.get(owner.key);
    if (!ofKey) {
      ofKey = new Map();
      this.#byKey.set(owner.key, ofKey);
    }
    // Most requests name no end user, and making a longer label costs as much as the rest.
    const label = owner.endUser === "" ? owner.model : `${owner.model}\0${owner.endUser}`;
    return ofKey.get(label) ?? this.#create(at, owner, label, ofKey);
  }

  /** Removes all cells and returns them. */
  take(): readonly Cell[] {
    const taken = this.#cells;
    this.#cells = [];
    this.#byKey = new Map();
    return taken;
  }

  #create(at: number, owner: UsageOwner, label: string, ofKey: Map<string, Cell>): Cell {
    if (this.#cells.length >= MAX_LIVE && (owner.model !== OTHER || owner.endUser !== ""))
      return this.of(at, { key: owner.key, model: OTHER, endUser: "" });
    const cell = new Cell(at, owner);
    ofKey.set(label, cell);
    this.#cells.push(cell);
    return cell;
  }
}

/** Adds up the cells of each key and model, so that there are fewer. The sums count for the last minute among them. */
export function mergeCells(cells: readonly UsageCell[]): Cell[] {
  const merged = new LiveCells();
  const at = cells.reduce((last, cell) => Math.max(last, cell.at), 0);
  for (const cell of cells) merged.of(at, { key: cell.key, model: cell.model, endUser: "" }).add(cell);
  return [...merged.take()];
}
