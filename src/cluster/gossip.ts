import * as v from "valibot";
import { isRecord, parseJson } from "../json/parse.ts";
import { SERVER_ID } from "../system/server-id.ts";
import { countField, textField } from "../wire/fields.ts";
import { MAX_STAMP } from "./hybrid-clock.ts";
import { loadReportSchema } from "./load-report.ts";
import { endFields, rowFields } from "./rows.ts";

// The messages about who is there and who has what, in version 1. Servers of other versions are heard too, so every message is
// parsed like a worker's: unknown members are dropped, and everything is bounded. The members of a beat keep their meaning in
// all later versions, because a server finds out from them that it cannot read the rest.

const idField = v.pipe(v.string(), v.regex(SERVER_ID));
const countOf = countField(Number.MAX_SAFE_INTEGER);
const versionField = countField(1_000_000);
const versionsField = v.pipe(
  v.tuple([versionField, versionField]),
  v.check(([oldest, newest]) => oldest <= newest),
);

/** What every message begins with: its sender, and the name of the sender's present run, which is greater for later runs. */
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
  /** Where the sender takes links, as `host:port`. */
  address: v.optional(v.pipe(v.string(), v.maxLength(300))),
  /** The key with which dials to the sender are signed. It is secret, and sent over the bus alone. */
  link_key: v.optional(v.pipe(v.string(), v.maxLength(128))),
  /** Whether the sender hears the bus. Otherwise it has to be told over its link. */
  hears: v.boolean(),
  /** For people alone, so a later form of it does not make the message invalid. */
  load: v.fallback(v.optional(loadReportSchema), undefined),
};

/** Sent once a second. */
const beatSchema = v.object({ t: v.literal("beat"), ...greetingFields });
/** Sent by a server that starts or whose connection is back, and answered by everybody's beat. */
const helloSchema = v.object({ t: v.literal("hello"), ...greetingFields });
/** What has changed since the delta before. */
const deltaSchema = v.object({ t: v.literal("delta"), ...sender, seq: countOf, ...rowFields, ...endFields });
/** A part of all that the sender has, as of its delta `seq`. */
const fullSchema = v.object({
  t: v.literal("full"),
  ...sender,
  seq: countOf,
  part: countField(1000),
  parts: countField(1000),
  ...rowFields,
});
/** Sent by a server that ends in order. */
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

/** What is the same in beats and hellos. */
export type Greeting = Omit<Beat, "t">;

/** By the kind, because a search among all schemas would take longer than the rest of a small message. */
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

/** A message that cannot be used: of a kind that another version knows, or not a message at all. */
export type Unread = { readonly t: "unknown" } | { readonly t: "malformed" };

export function parseGossip(text: string): Gossip | Unread {
  return readGossip(parseJson(text));
}

/** The same for JSON that was parsed. */
export function readGossip(json: unknown): Gossip | Unread {
  if (!isRecord(json)) return { t: "malformed" };
  const schema = SCHEMAS.get(json["t"]);
  if (!schema) return { t: typeof json["t"] === "string" ? "unknown" : "malformed" };
  const result = v.safeParse(schema, json);
  return result.success ? result.output : { t: "malformed" };
}
