import * as v from "valibot";
import type { Group } from "./usage-groups.ts";
import { DIMENSIONS, type UsageQuery } from "./usage-query.ts";
import { STEP_MS, type UsageRow } from "./usage-records.ts";

// Usage as servers of one cluster send it to each other (docs/protocol.md, "Between servers").

const text = v.optional(v.string());
const querySchema = v.pipe(
  v.object({
    from: v.pipe(v.number(), v.integer(), v.minValue(0)),
    to: v.pipe(v.number(), v.minValue(0)),
    step: v.picklist(["minute", "hour", "day"]),
    by: v.array(v.picklist(DIMENSIONS)),
    key: text,
    model: text,
    endUser: text,
    periodMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
    labels: v.optional(v.array(v.tuple([v.string(), v.array(v.string())]))),
  } satisfies Record<keyof UsageQuery, v.GenericSchema>),
  v.check(({ from, step }) => from % STEP_MS[step] === 0),
);

/** Reads a query that another server has sent; undefined for anything else. */
export function toQuery(value: unknown): UsageQuery | undefined {
  const read = v.safeParse(querySchema, value);
  return read.success ? read.output : undefined;
}

/** Writes a group as one line. What the query does not group by is empty. */
export function rowText(group: Group): string {
  const { at, key = "", model = "", endUser = "" } = group;
  const { requests, failures, input, cached, output, audioMs, waitMs, heldMs, estimated } = group;
  const amounts = [requests, failures, input, cached, output, audioMs, waitMs, heldMs, estimated];
  return JSON.stringify([at, key, model, endUser, ...amounts]);
}

const amount = v.pipe(v.number(), v.minValue(0));
const rowSchema = v.tuple([
  v.pipe(v.number(), v.integer()),
  v.string(),
  v.string(),
  v.string(),
  amount,
  amount,
  amount,
  amount,
  amount,
  amount,
  amount,
  amount,
  amount,
]);

/** Reads such a line; undefined for anything else. */
export function toRow(value: unknown): UsageRow | undefined {
  const read = v.safeParse(rowSchema, value);
  if (!read.success) return undefined;
  const [at, key, model, endUser, ...amounts] = read.output;
  const [requests, failures, input, cached, output, audioMs, waitMs, heldMs, estimated] = amounts;
  const counted = { requests, failures, input, cached, output, audioMs, waitMs, heldMs, estimated };
  return { at, key, model, endUser, ...counted };
}
