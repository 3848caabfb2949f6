import { Fault } from "../errors.ts";
import { type Query, timeIn, wordIn } from "../http/query.ts";
import { DIMENSIONS, type Dimension, type UsageQuery } from "./usage-query.ts";
import { KEPT_MS, periodOf, STEP_MS, type Step } from "./usage-records.ts";

const STEPS = ["minute", "hour", "day"] as const satisfies readonly Step[];

/** The time that a query covers if it has no `from`. */
const USUAL_MS: Readonly<Record<Step, number>> = {
  minute: STEP_MS.hour,
  hour: STEP_MS.day,
  day: 30 * STEP_MS.day,
};
/** The most periods of a query. */
const MAX_PERIODS = 5000;

/** Reads the query of a URL. Throws `invalid_request`. */
export function parseUsageQuery(query: Query, now: number): UsageQuery {
  const to = timeIn(query, "to") ?? now;
  const asked = timeIn(query, "from");
  const step =
    wordIn(query, "step", STEPS) ?? stepFor(asked === undefined ? STEP_MS.day : to - asked, now - (asked ?? now));
  const from = periodOf(asked ?? to - USUAL_MS[step], step);
  if (to <= from) throw invalid("from", "'from' must be before 'to'.");
  if ((to - from) / STEP_MS[step] > MAX_PERIODS)
    throw invalid("step", "There are too many steps between 'from' and 'to'. Choose a larger step, or a shorter time.");
  return {
    from,
    to,
    step,
    by: dimensionsIn(query("by")),
    key: query("key"),
    model: query("model"),
    endUser: query("end_user"),
  };
}

/** Chooses the finest step whose rows are still kept and that gives a plot of up to a few hundred points. */
function stepFor(lengthMs: number, ageMs: number): Step {
  if (lengthMs <= 6 * STEP_MS.hour && ageMs <= KEPT_MS.minute) return "minute";
  return lengthMs <= 7 * STEP_MS.day && ageMs <= KEPT_MS.hour ? "hour" : "day";
}

function dimensionsIn(text: string | undefined): readonly Dimension[] {
  if (text === undefined) return ["key", "model"];
  const words = text.split(",").map((word) => word.trim());
  const by = DIMENSIONS.filter((each) => words.includes(each));
  if (by.length === new Set(words).size) return by;
  throw invalid("by", `'by' must be a list of ${DIMENSIONS.join(", ")}.`);
}

function invalid(param: string, message: string): Fault {
  return new Fault("invalid_request", { message, param });
}
