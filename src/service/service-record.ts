import { readFileSync } from "node:fs";
import * as v from "valibot";
import { parseJson } from "../json/parse.ts";

/** What is known of an installed service, beside what its files say. It contains no secret. */
export type ServiceRecord = v.InferOutput<typeof recordSchema>;

const recordSchema = v.object({
  format: v.literal(1),
  kinds: v.array(v.string()),
  /** The server that the worker dials. */
  server: v.string(),
  run_as: v.optional(v.string()),
  directory: v.optional(v.string()),
  drain_s: v.number(),
  /** The file in which the worker keeps its own key, once it has joined. */
  state_file: v.optional(v.string()),
});

/** Returns the record at a path; undefined if there is none that this version can read. */
export function readRecord(path: string): ServiceRecord | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const read = v.safeParse(recordSchema, parseJson(text));
  return read.success ? read.output : undefined;
}
