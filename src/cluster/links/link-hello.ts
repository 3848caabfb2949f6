import * as v from "valibot";
import { parseJson } from "../../json/parse.ts";
import { isExchangeKind, MAX_KINDS } from "../../wire/names.ts";
import { type Versions, versionsField } from "../versions.ts";

/** The first message in each direction of a link. */
export interface LinkHello {
  /** Identifies the run of the server that sends it. */
  readonly epoch: string;
  /** The versions of the link's protocol that the server speaks. */
  readonly link: Versions;
  /** Body bytes of an answer that the server takes before its first grant. */
  readonly window: number;
  /** The kinds of exchange that it serves to peers. */
  readonly kinds: readonly string[];
  /** Proves that the dialled server is the one that announced the link key. Only the dialled server sends it. */
  readonly proof?: string | undefined;
}

/** The topic of the first message. */
export const HELLO_TOPIC = "hello";

const schema = v.object({
  epoch: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  link: versionsField,
  window: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 31)),
  kinds: v.pipe(v.array(v.pipe(v.string(), v.check(isExchangeKind))), v.maxLength(MAX_KINDS)),
  proof: v.optional(v.pipe(v.string(), v.maxLength(128))),
});

/** Reads a first message; undefined for anything else. */
export function parseLinkHello(text: string): LinkHello | undefined {
  const result = v.safeParse(schema, parseJson(text));
  return result.success ? result.output : undefined;
}
