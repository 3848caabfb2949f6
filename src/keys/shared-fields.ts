import * as v from "valibot";
import { cleanText } from "../wire/clean-text.ts";

// Fields of what the servers of a cluster share. Anyone who may write to that place may write anything.

/** The latest time that a date can have, in milliseconds since 1970. */
const MAX_TIME = 8.64e15;
const MAX_CALLER_CHARS = 256;

/** Milliseconds since 1970. */
export const timeField = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(MAX_TIME));

/** The name of a caller. */
export const callerField = v.pipe(
  v.string(),
  v.maxLength(MAX_CALLER_CHARS),
  v.check((text) => cleanText(text) === text),
);
