import type { CallerState } from "../../src/models/caller-state.ts";
import type { PluginState } from "./state-types.ts";
import type { LabelOf } from "./verdict.ts";

/** A row of the overview's panel of callers. */
export interface CallerRow extends CallerState {
  /** Tells the row from all others. */
  readonly key: string;
  /** The plugin's work, the class and the end user in one line. */
  readonly detail: string;
  /** How many of its jobs wait at a limit of its key, and at which one; empty if none does. */
  readonly limitText: string;
  /** The whole identity, for a name that is cut off. */
  readonly title: string;
}

/** Lists the callers of all plugins, those who wait most first, with the sums of those that are not listed at the end. */
export function callersOf(
  plugins: Readonly<Record<string, PluginState>>,
  labelOf: LabelOf = (plugin) => plugin,
): readonly CallerRow[] {
  const rows = Object.entries(plugins).flatMap(([plugin, state]) => {
    const { callers } = state;
    // The server's own list, present where a plugin's workers serve models.
    return Array.isArray(callers)
      ? (callers as readonly CallerState[]).map((caller) => toRow(plugin, labelOf(plugin), caller))
      : [];
  });
  return rows.sort((a, b) => place(a) - place(b) || b.waiting - a.waiting || b.running - a.running);
}

function place({ class: itsClass }: CallerState): number {
  return itsClass === null ? 1 : 0;
}

function toRow(plugin: string, label: string, caller: CallerState): CallerRow {
  const { name, end_user, class: itsClass, held, limit } = caller;
  const user = end_user === null ? [] : [`user ${end_user}`];
  const detail = [label, ...(itsClass === null ? [] : [itsClass]), ...user].join(" · ");
  const limitText = held > 0 ? `${held} at ${limit ?? "limits"}` : "";
  return {
    ...caller,
    key: `${plugin} ${name} ${itsClass} ${end_user}`,
    detail,
    limitText,
    title: `${name} (${detail})`,
  };
}
