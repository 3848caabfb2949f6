import type { Answer, Backend, Opening } from "../../../answering/opening.ts";
import type { Clock } from "../../../system/deps.ts";
import type { RequestHead } from "../../../wire/heads.ts";
import { METADATA_PATH } from "../../../wire/mcp-metadata.ts";
import { RPC, rpcError } from "../bridge/rpc-error.ts";
import { bearerOf, refusal } from "../guard.ts";
import type { FileCaller } from "../mcp-server.ts";
import { compileRules, intersect, type RuleSet } from "../rules.ts";
import { ownCallers } from "./own-callers.ts";
import { Room } from "./room.ts";
import { RuledCall } from "./ruled-call.ts";
import { openSealed, sealSession } from "./sealed-session.ts";
import { createSessionSeals } from "./session-seals.ts";
import type { Terms, ToolFacts } from "./terms.ts";

export interface RuledOptions {
  /** The relay's own list of callers, one of which each call must come from; undefined if the relay has none. */
  readonly callers: readonly FileCaller[] | undefined;
  /** What every caller may use; undefined: everything. */
  readonly rules: RuleSet | undefined;
  readonly auditArguments: boolean;
  /** Undefined where the relay cannot know the tools, because it has no access to the MCP server. */
  readonly facts: ToolFacts | undefined;
  /** Binds sessions to callers, for as long as it stays the same. */
  readonly secret: string;
  readonly clock: Clock;
}

/**
 * The most bytes of bodies that one relay holds while it looks at them: a call of ten times the usual limit of the public
 * server in each of dozens of calls.
 */
const ROOM_BYTES = 256 * 1024 * 1024;

/**
 * A backend in which callers find only what they may use, and of which the public server learns what was called. A request
 * of nobody in particular, without rules and without records, passes untouched.
 */
export function ruled(backend: Backend, options: RuledOptions): Backend {
  const { callers, rules, auditArguments, clock, secret } = options;
  const find = callers && ownCallers(callers, clock);
  const seals = createSessionSeals(secret);
  const room = new Room(ROOM_BYTES);
  const isForAll = find !== undefined || rules !== undefined || auditArguments;

  const termsOf = (head: RequestHead): Terms | Opening => {
    const { caller: named } = head;
    const given = named?.rules && compileRules(named.rules);
    if (find === undefined) {
      return { name: named?.name, rules: intersect(rules, given), gate: undefined, called: undefined };
    }
    const bearer = bearerOf(head);
    const own = bearer === undefined ? undefined : find(bearer);
    if (own === undefined) return refusal(bearer);
    return {
      name: own.name,
      rules: intersect(rules, own.rules, given),
      gate: own.gate,
      called: { caller: own.name },
    };
  };

  return {
    open(head) {
      if ((!isForAll && head.caller === undefined) || head.path === METADATA_PATH) return backend.open(head);
      const terms = termsOf(head);
      if ("kind" in terms) return terms;
      const { name } = terms;
      const passed = name === undefined ? head : openSealed(head, name, seals);
      if (passed === undefined) return NO_SESSION;
      const finish = (answer: Answer): Answer => {
        const named = name === undefined ? answer : sealSession(answer, name, seals);
        return terms.called && !named.called ? { ...named, called: terms.called } : named;
      };
      const isRead = terms.rules !== undefined || terms.gate !== undefined || auditArguments;
      if (!isRead) return withAnswer(backend.open(passed), finish);
      const call = new RuledCall({ backend, terms, room, facts: options.facts, auditArguments });
      return withAnswer(call.open(passed), finish);
    },
  };
}

/** The answer to a session that is not the caller's. With this status clients begin a new one. */
const NO_SESSION: Opening = {
  kind: "answer",
  status: 404,
  body: rpcError(RPC.noSession, "There is no such session."),
};

function withAnswer(opening: Opening, finish: (answer: Answer) => Answer): Opening {
  if (opening.kind !== "ask") return opening;
  return { ...opening, ask: async (body, signal) => finish(await opening.ask(body, signal)) };
}
