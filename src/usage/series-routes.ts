import type { AnyElysia } from "elysia";
import * as v from "valibot";
import type { OperatorDoor } from "../auth/operator-door.ts";
import { countIn, queryOf, wordIn } from "../http/query.ts";
import { errorResponses, jsonAnswer, queryParameter, STATE_SECURITY } from "../openapi/schema.ts";
import { createRoutes } from "../plugin/route-context.ts";
import type { Clock } from "../system/deps.ts";
import { readSeries, type SeriesParts } from "./usage-series.ts";

export interface SeriesRoutesOptions extends Omit<SeriesParts, "now"> {
  readonly auth: { readonly operators: Pick<OperatorDoor, "read"> };
  readonly clock: Pick<Clock, "now">;
}

const RANGES = ["24h", "30d", "12mo"] as const;
const PARTS = ["key", "model", "tenant"] as const;
const RANKS = ["tokens", "requests", "audio_seconds"] as const;
const USUAL_TOP = 8;
const MAX_TOP = 20;

const figures = v.array(v.number());
const seriesSchema = v.pipe(
  v.object({
    range: v.picklist(RANGES),
    by: v.picklist(PARTS),
    from: v.pipe(v.string(), v.description("The beginning of the first period, RFC 3339.")),
    to: v.pipe(v.string(), v.description("The time of the answer. The last period is not over.")),
    period_s: v.pipe(v.number(), v.description("The length of a period in seconds.")),
    series: v.pipe(
      v.array(
        v.object({
          id: v.pipe(v.nullable(v.string()), v.description("Null for the sum of all others.")),
          name: v.string(),
          requests: figures,
          failures: figures,
          input_tokens: figures,
          cached_tokens: figures,
          output_tokens: figures,
          audio_seconds: figures,
          estimated: figures,
        }),
      ),
      v.description("The largest first. Each list has one number for each period."),
    ),
    others: v.pipe(v.number(), v.description("How many keys, models or tenants are added up in the last series.")),
    missing_servers: v.pipe(
      v.array(v.string()),
      v.description("The servers of a cluster whose usage is missing because they have not answered."),
    ),
  }),
  v.description("Usage over time, as the dashboard draws it."),
);

/** `GET /api/usage/series`, for operators. */
export function seriesRoutes({ auth, clock, ...parts }: SeriesRoutesOptions): AnyElysia {
  return createRoutes().get(
    "/api/usage/series",
    async ({ visit }) => {
      auth.operators.read(visit);
      const query = queryOf(visit.request);
      const asked = {
        range: wordIn(query, "range", RANGES) ?? "24h",
        by: wordIn(query, "by", PARTS) ?? "key",
        rank: wordIn(query, "rank", RANKS) ?? "tokens",
        top: countIn(query, "top", MAX_TOP) ?? USUAL_TOP,
      };
      const series = await readSeries(asked, { ...parts, now: clock.now() });
      return Response.json(series, { headers: { "cache-control": "no-store" } });
    },
    {
      detail: {
        tags: ["State"],
        security: STATE_SECURITY,
        summary: "Usage as series for a plot",
        description:
          "Usage of the last 24 hours in periods of 10 minutes, of 30 days in periods of 4 hours, or of 12 months in days, for the keys, models or tenants that used most, and the sum of all others.",
        parameters: [
          queryParameter("range", "`24h`, `30d` or `12mo`. Default: `24h`."),
          queryParameter("by", "`key`, `model` or `tenant`. Default: `key`."),
          queryParameter(
            "rank",
            "What the largest have most of: `tokens`, `requests` or `audio_seconds`. Default: `tokens`.",
          ),
          queryParameter(
            "top",
            `How many get a series of their own, up to ${MAX_TOP}. Default: ${USUAL_TOP}.`,
            "integer",
          ),
        ],
        responses: {
          200: jsonAnswer(seriesSchema),
          ...errorResponses("invalid_request", "invalid_api_key", "too_many_auth_failures", "too_many_requests"),
        },
      },
    },
  );
}
