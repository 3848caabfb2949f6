import * as v from "valibot";
import type { ClusterState, ServerRow } from "./cluster-state.ts";
import { poolSchema, sampleSchema } from "./overview-schema.ts";

// The schema of the cluster in the State API, for the OpenAPI document.

const nullableText = v.nullable(v.string());
const nullableNumber = v.nullable(v.number());

const rowEntries = {
  id: v.pipe(v.string(), v.description("SERVER_ID of the server.")),
  region: v.pipe(nullableText, v.description("REGION of the server.")),
  version: v.string(),
  state: v.pipe(
    v.picklist(["alive", "draining", "suspect", "gone", "incompatible", "unreachable"]),
    v.description(
      "`suspect`: silent for a while, so it gets no jobs from here. `gone`: it left, or has been silent for too long. `incompatible`: its version does not work with this one. `unreachable`: no link to it can be made.",
    ),
  ),
  since: v.pipe(v.string(), v.description("RFC 3339: when the state began.")),
  is_lost: v.pipe(v.boolean(), v.description("It is gone without a goodbye.")),
  address: v.pipe(nullableText, v.description("Host and port at which it accepts links.")),
  link: v.pipe(
    v.nullable(v.picklist(["direct", "bus", "none"])),
    v.description(
      "How requests reach it: by a WebSocket, through NATS, or not at all. Null for the server that answers.",
    ),
  ),
  link_problem: v.pipe(
    v.nullable(v.object({ address: nullableText, reason: v.string() })),
    v.description("The address that was dialled last, and why that failed."),
  ),
  rtt_ms: v.pipe(nullableNumber, v.description("Round trip over the link.")),
  gossip_age_ms: v.pipe(nullableNumber, v.description("Time since something was heard from it.")),
  clock_ahead_ms: v.pipe(nullableNumber, v.description("By how much its clock is ahead of the answering server's.")),
  workers: v.number(),
  slots: v.number(),
  busy: v.pipe(v.number(), v.description("Slots in use.")),
  waiting: v.pipe(v.number(), v.description("Requests of its clients that wait for a slot.")),
  problems: v.pipe(
    v.nullable(v.object({ critical: v.number(), warning: v.number() })),
    v.description("How many problems it reports itself."),
  ),
  sample: v.pipe(v.nullable(sampleSchema), v.description("Its last second.")),
  pools: v.array(poolSchema),
} satisfies Record<keyof ServerRow, v.GenericSchema>;

const clusterEntries = {
  name: v.pipe(v.string(), v.description("CLUSTER_NAME.")),
  id: v.pipe(v.string(), v.description("SERVER_ID of the server that answers, and that sees the cluster like this.")),
  bus: v.pipe(
    v.object({
      state: v.picklist(["up", "away"]),
      since: v.pipe(v.string(), v.description("RFC 3339.")),
      reason: nullableText,
      address: nullableText,
      records: v.pipe(v.nullable(v.boolean()), v.description("Whether JetStream keeps records.")),
    }),
    v.description("The connection to NATS."),
  ),
  peers_lost: v.pipe(v.number(), v.description("Servers that are gone without a goodbye.")),
  is_whole: v.pipe(
    v.boolean(),
    v.description("Whether NATS can be reached, and every server works with this one and has the same keys."),
  ),
  servers: v.array(v.object(rowEntries)),
  sample: v.pipe(
    sampleSchema,
    v.description("The last second of all servers that run. Times to the first byte are those of the slowest server."),
  ),
  pools: v.pipe(v.array(poolSchema), v.description("The pools of all servers that run, added up by plugin.")),
} satisfies Record<keyof ClusterState, v.GenericSchema>;

/** `cluster` of the envelope; a server without a cluster has none. */
export const clusterStateSchema = v.pipe(
  v.object(clusterEntries),
  v.description("The cluster as the answering server sees it; only with NATS_URL."),
);
