import type { Backend } from "../../answering/opening.ts";
import type { Clock } from "../../system/deps.ts";
import type { InventoryFacts } from "../../wire/mcp-inventory.ts";
import { InventoryFault, readInventory } from "./inventory-client.ts";

/** How old an inventory may be. A server that announces changes is read again at once; not all of them do. */
export const FRESH_MS = 60_000;
/** How long a failed reading stands, so that calls which need one do not press a server that is in trouble. */
export const FAILED_MS = 5_000;
/** How long one reading may take. A call may wait for it. */
export const READ_MS = 20_000;

/** What an MCP server offers, as a relay knows it itself. */
export interface Inventory {
  /**
   * Returns lists that were read at most `FRESH_MS` ago and after the last `changed`. Reads them again if it has none; all
   * who ask at the same time share one reading. Rejects with an `InventoryFault` if they cannot be read.
   */
  read(): Promise<InventoryFacts>;
  /** Notes that the MCP server's lists may have changed. */
  changed(): void;
}

/** A reading that waits, is running or has ended. */
interface Reading {
  readonly result: Promise<InventoryFacts>;
  hasBegun: boolean;
  /** Until when it stands, by the clock's elapsed time; undefined while it has not ended. */
  until: number | undefined;
  /** Whether the lists may have changed since it began. */
  isStale: boolean;
}

/**
 * Returns the inventory of the MCP server behind a backend. The backend MUST be one that asks callers for no credentials:
 * the inventory has none.
 */
export function createInventory(backend: Backend, clock: Clock, read: typeof readInventory = readInventory): Inventory {
  let latest: Reading | undefined;

  /** Begins a reading as soon as the one before it has ended, so that a server never gets two at once. */
  function start(before: Reading | undefined): Reading {
    let begun = 0;
    const begin = (): Promise<InventoryFacts> => {
      reading.hasBegun = true;
      begun = clock.elapsed();
      return readInTime();
    };
    const reading: Reading = {
      result: before === undefined ? Promise.resolve().then(begin) : before.result.then(begin, begin),
      hasBegun: false,
      until: undefined,
      isStale: false,
    };
    reading.result.then(
      () => (reading.until = begun + FRESH_MS),
      () => (reading.until = clock.elapsed() + FAILED_MS),
    );
    return reading;
  }

  async function readInTime(): Promise<InventoryFacts> {
    const late = new AbortController();
    const cancelTimer = clock.after(READ_MS, () => late.abort());
    // The library waits for some answers without regard to its signal.
    const tooLate = Promise.withResolvers<never>();
    late.signal.addEventListener("abort", () =>
      tooLate.reject(new InventoryFault("The MCP server did not list its tools in time.")),
    );
    try {
      return await Promise.race([read(backend, late.signal, clock.now()), tooLate.promise]);
    } finally {
      cancelTimer();
    }
  }

  return {
    read() {
      if (latest === undefined) latest = start(undefined);
      else if (latest.until === undefined) {
        if (latest.isStale) latest = start(latest);
      } else if (latest.isStale || clock.elapsed() >= latest.until) latest = start(undefined);
      return latest.result;
    },
    changed() {
      // One that waits for its turn will see the change.
      if (latest?.hasBegun) latest.isStale = true;
    },
  };
}
