import type { HeaderPairs } from "../../../wire/heads.ts";
import { decodeHeader } from "../bridge/standard-headers.ts";
import { subjectOf } from "./judge.ts";
import type { ClientMessage } from "./message.ts";

/**
 * Returns what is wrong with the headers in which a request repeats its body; undefined for nothing. A server may go by
 * them, so what they say has to be what was judged. Whether they must be there is for the MCP server to say.
 */
export function headerConflict(headers: HeaderPairs, message: ClientMessage): string | undefined {
  const methods = valuesOf(headers, "mcp-method");
  const names = valuesOf(headers, "mcp-name");
  if (methods.some((each) => each !== message.method)) return "the Mcp-Method header is not the method";
  const subject = subjectOf(message) ?? taskIn(message);
  if (names.some((each) => decodeHeader(each) !== subject)) return "the Mcp-Name header is not what the body names";
  return undefined;
}

function taskIn({ method, params }: ClientMessage): string | undefined {
  const id = params["taskId"];
  return method?.startsWith("tasks/") && typeof id === "string" ? id : undefined;
}

/** Every value of a header. One name twice is one header with a comma, and then equals nothing. */
function valuesOf(headers: HeaderPairs, wanted: string): readonly string[] {
  const values = headers.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value.trim());
  return values.length > 1 ? [values.join(", ")] : values;
}
