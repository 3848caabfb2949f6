import type { RequestId } from "@modelcontextprotocol/server";
import { parseJson } from "../../../json/parse.ts";
import type { LongLine } from "./line-reader.ts";

const ID = String.raw`"id"\s*:\s*(-?\d+|"(?:[^"\\]|\\.)*")`;
const VERSION = String.raw`"jsonrpc"\s*:\s*"2\.0"`;
/** Most programs write the id first: Python's and Go's SDKs, among others. */
const FIRST = new RegExp(
  String.raw`^\s*\{\s*(?:${VERSION}\s*,\s*)?${ID}\s*,\s*(?:${VERSION}\s*,\s*)?"(?:result|error)"`,
);
/** Others write it last, as the TypeScript SDK does. */
const IS_RESPONSE = new RegExp(String.raw`^\s*\{\s*(?:${VERSION}\s*,\s*)?"(?:result|error)"`);
const LAST = new RegExp(String.raw`,\s*${ID}\s*(?:,\s*${VERSION}\s*)?\}\s*$`);

/** Finds the id of a response that is too long to be parsed, at either end of it. Undefined for any other message. */
export function longResponseId({ head, tail }: LongLine): RequestId | undefined {
  const written = FIRST.exec(head)?.[1] ?? (IS_RESPONSE.test(head) ? LAST.exec(tail)?.[1] : undefined);
  const id = written === undefined ? undefined : parseJson(written);
  return typeof id === "string" || Number.isSafeInteger(id) ? (id as RequestId) : undefined; // just looked
}
