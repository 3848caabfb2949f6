import * as v from "valibot";
import { isRecord, parseJson } from "../../json/parse.ts";
import { SERVER_ID } from "../../system/server-id.ts";
import { countField, textField } from "../../wire/fields.ts";
import { MAX_STAMP } from "../ids/hybrid-clock.ts";
import { versionsField } from "../versions.ts";
import { loadReportSchema } from "./load-report.ts";
import { endFields, rowFields } from "./rows.ts";

// The messages about which servers are there and what they have, in version 1. Servers of other versions send them too, so
// every message is parsed like a worker's: unknown members are dropped, and everything is bounded. The members of a beat keep
// their meaning in all later versions, because a server learns from a beat whether it can read the sender's other messages.

const idField = v.pipe(v.string(), v.regex(SERVER_ID));
const countOf = countField(Number.MAX_SAFE_INTEGER);

/** The first members of every message: the sender, and the epoch of its present run. A later run has a greater epoch. */
const sender = { from: idField, epoch: v.pipe(v.string(), v.minLength(1), v.maxLength(64)) };

const greetingFields = {
  ...sender,
  /** The number of the last delta. */
  seq: countOf,
  /** The sender's wall clock in milliseconds since 1970. */
  at: countField(MAX_STAMP),
  version: textField,
  gossip: versionsField,
  link: versionsField,
  state: v.fallback(v.picklist(["ready", "draining"]), "ready"),
  /** A digest of all keys of clients and workers, which should be the same on all servers. */
  keys: v.pipe(v.string(), v.maxLength(64)),
  region: v.optional(v.pipe(v.string(), v.maxLength(64))),
  /** Where the sender accepts links, as `host:port`. */
  address: v.optional(v.pipe(v.string(), v.maxLength(300))),
  /** The key with which dials to the sender are signed. It is secret, and sent over the bus only. */
  link_key: v.optional(v.pipe(v.string(), v.maxLength(128))),
  /** Whether the sender hears the bus. If it does not, it gets gossip over its link. */
  hears: v.boolean(),
  /** Shown to operators only, so a form that is unknown here does not make the message invalid. */
  load: v.fallback(v.optional(loadReportSchema), undefined),
};

/** Sent once a second. */
const beatSchema = v.object({ t: v.literal("beat"), ...greetingFields });
/** Sent by a server that has started or is connected again. Each other server answers with a beat. */
const helloSchema = v.object({ t: v.literal("hello"), ...greetingFields });
/** What has changed since the delta before. */
const deltaSchema = v.object({ t: v.literal("delta"), ...sender, seq: countOf, ...rowFields, ...endFields });
/** One part of a snapshot of all that the sender has, as of its delta `seq`. */
const fullSchema = v.object({
  t: v.literal("full"),
  ...sender,
  seq: countOf,
  part: countField(1000),
  parts: countField(1000),
  ...rowFields,
});
/** Sent by a server that shuts down. */
const byeSchema = v.object({ t: v.literal("bye"), ...sender });

/** Asks for a snapshot over a link. Over the bus it is a question of the kind `FULL_QUESTION`. */
const needSchema = v.object({ t: v.literal("need"), ...sender });

export type Beat = Readonly<v.InferOutput<typeof beatSchema>>;
export type Hello = Readonly<v.InferOutput<typeof helloSchema>>;
export type Delta = Readonly<v.InferOutput<typeof deltaSchema>>;
export type Full = Readonly<v.InferOutput<typeof fullSchema>>;
export type Bye = Readonly<v.InferOutput<typeof byeSchema>>;
export type Need = Readonly<v.InferOutput<typeof needSchema>>;
export type Gossip = Beat | Hello | Delta | Full | Bye | Need;

/** The members that beats and hellos share. */
export type Greeting = Omit<Beat, "t">;

/** The schemas by message type. Trying one after the other would cost more than parsing a small message. */
const SCHEMAS = new Map<unknown, v.GenericSchema<unknown, Gossip>>([
  ["beat", beatSchema],
  ["hello", helloSchema],
  ["delta", deltaSchema],
  ["full", fullSchema],
  ["bye", byeSchema],
  ["need", needSchema],
]);

/** The question for a snapshot, `{part, seq?}`. The answer is a `full`. */
export const FULL_QUESTION = "full";

/** A message that cannot be used: its type is unknown here, or it is malformed. */
export type Unread = { readonly t: "unknown" } | { readonly t: "malformed" };

export function parseGossip(text: string): Gossip | Unread {
  return readGossip(parseJson(text));
}

/** Reads a message from parsed JSON. */
export function readGossip(json: unknown): Gossip | Unread {
  if (!isRecord(json)) return { t: "malformed" };
  const schema = SCHEMAS.get(json["t"]);
  if (!schema) return { t: typeof json["t"] === "string" ? "unknown" : "malformed" };
  const result = v.safeParse(schema, json);
  return result.success ? result.output : { t: "malformed" };
}
