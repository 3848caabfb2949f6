import type { AlpineApi } from "./alpine.js";
import { createCopy } from "./copy.ts";
import type { PoolStore } from "./pool-store.ts";
import { registerSeen } from "./seen.ts";
import { createTable } from "./tables.ts";

/** Registers what the sections after the overview have in common. */
export function register(alpine: AlpineApi, pool: () => PoolStore): void {
  alpine.data("parts", createParts);
  alpine.data("table", createTable(pool));
  alpine.data("copy", createCopy);
  registerSeen(alpine);
}

/** Parts of one plugin's section, one shown at a time. */
function createParts(first: string) {
  return {
    part: first,
    show(name: string): void {
      this.part = name;
    },
    isShown(name: string): boolean {
      return this.part === name;
    },
  };
}
