import { membersOf } from "../../json/scan.ts";

/** Largest answer that is looked into. Errors are short, so a larger answer is taken for a result. */
const MAX_LOOKED_AT_BYTES = 4096;

/** Whether a whole JSON answer is a JSON-RPC error, or the result of a tool that failed. Used for counting only. */
export function isRpcFailure(body: Uint8Array): boolean {
  if (body.length === 0 || body.length > MAX_LOOKED_AT_BYTES) return false;
  // The native search settles nearly every answer.
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (!text.includes('"error"') && !text.includes('"isError"')) return false;
  const members = membersOf(body);
  if (members?.has("error")) return true;
  const result = members?.get("result");
  const flag = result && membersOf(body, result.start)?.get("isError");
  return flag !== undefined && text.toString("latin1", flag.start, flag.end) === "true";
}
