import * as v from "valibot";
import type { Pulse } from "../../plugin/reports.ts";
import { countField } from "../../wire/fields.ts";

// The load in each beat of a server: the pulses of its plugins, and how quickly its responses begin.

/** The load of a server, as operators of any server see it. */
export interface LoadReport {
  readonly pulses: readonly { readonly id: string; readonly pulse: Pulse }[];
  /** Milliseconds to the first byte of answers in the last minute; null where no answer began. */
  readonly firstByte: { readonly p50Ms: number | null; readonly p95Ms: number | null };
  /** How many problems it reports. */
  readonly problems: { readonly critical: number; readonly warning: number };
}

const MAX_PLUGINS = 32;

const count = countField(Number.MAX_SAFE_INTEGER);
/** A sum that may have fractions, as those of estimates have. */
const sum = v.pipe(v.number(), v.finite(), v.minValue(0));
const duration = v.nullable(sum);

const pulse = v.pipe(
  v.object({
    workers: v.optional(v.object({ idle: count, working: count, notReady: count, draining: count })),
    slots: v.optional(v.object({ used: count, total: count })),
    queue: v.optional(v.object({ waiting: count, capacity: count })),
    requests: sum,
    failures: v.optional(sum),
    causes: v.optional(v.object({ rejected: sum, timeout: sum, backend: sum, lost: sum, other: sum })),
    tokens: v.optional(sum),
    areTokensEstimated: v.optional(v.boolean()),
    prompt: v.optional(v.object({ tokens: sum, cached: sum })),
    bytes: v.optional(sum),
  }),
  // Drops undefined members, which `Pulse` does not allow.
  v.transform((said): Pulse => JSON.parse(JSON.stringify(said))),
);

export const loadReportSchema = v.object({
  pulses: v.pipe(v.array(v.object({ id: v.pipe(v.string(), v.maxLength(32)), pulse })), v.maxLength(MAX_PLUGINS)),
  firstByte: v.object({ p50Ms: duration, p95Ms: duration }),
  problems: v.object({ critical: count, warning: count }),
}) satisfies v.GenericSchema<unknown, LoadReport>;
