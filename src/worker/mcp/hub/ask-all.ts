import type { JSONRPCRequest, JSONRPCResponse } from "@modelcontextprotocol/server";
import type { Clock } from "../../../system/deps.ts";
import { gather } from "./gather.ts";
import type { MemberLink } from "./link.ts";
import { resultOf } from "./lists.ts";

interface AskAllOptions {
  readonly clock: Clock;
  /** Takes a result if any server gave one, else the first error. */
  readonly onDone: (answer: JSONRPCResponse) => void;
}

/** Asks several servers the same question, and answers once for all of them. Returns a function that cancels it. */
export function askAll(
  links: readonly MemberLink[],
  request: JSONRPCRequest,
  { clock, onDone }: AskAllOptions,
): () => void {
  const questions = links.map((link) => ({
    member: link.member,
    ask: (take: (answer: JSONRPCResponse) => void) =>
      link.ask(request, (message) => {
        if (!("method" in message)) take(message);
      }),
  }));
  return gather(questions, {
    clock,
    onDone: (answers) => {
      const all = [...answers.values()];
      const good = all.find((answer) => resultOf(answer) !== undefined);
      onDone({ ...(good ?? all[0] ?? { jsonrpc: "2.0", result: {} }), id: request.id });
    },
  });
}
