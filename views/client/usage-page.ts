import type { AlpineApi } from "./alpine.js";
import { createUsage } from "./usage.ts";
import { registerUsagePlot } from "./usage-plot.ts";

/** Registers the components of the section on usage. */
export function register(alpine: AlpineApi): void {
  registerUsagePlot(alpine);
  alpine.data("usage", createUsage);
}
