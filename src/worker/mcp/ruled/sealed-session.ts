import type { Answer } from "../../../answering/opening.ts";
import type { RequestHead } from "../../../wire/heads.ts";
import type { SessionSeals } from "./session-seals.ts";

const SESSION_HEADER = "mcp-session-id";

/** Returns a request with the MCP server's own id of its session; undefined if the session is not the caller's. */
export function openSealed(head: RequestHead, caller: string, seals: SessionSeals): RequestHead | undefined {
  const given = head.headers.filter(([name]) => name.toLowerCase() === SESSION_HEADER);
  const first = given[0];
  if (first === undefined) return head;
  const session = given.length === 1 ? seals.open(first[1], caller) : undefined;
  if (session === undefined) return undefined;
  const headers = head.headers.map((pair) => (pair === first ? ([pair[0], session] as const) : pair));
  return { ...head, headers };
}

/** Returns an answer with the session's id as the caller is to know it. */
export function sealSession(answer: Answer, caller: string, seals: SessionSeals): Answer {
  if (!answer.headers.some(([name]) => name.toLowerCase() === SESSION_HEADER)) return answer;
  const headers = answer.headers.map(([name, value]) =>
    name.toLowerCase() === SESSION_HEADER ? ([name, seals.seal(value, caller)] as const) : ([name, value] as const),
  );
  return { ...answer, headers };
}
