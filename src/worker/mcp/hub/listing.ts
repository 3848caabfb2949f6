import type { JSONRPCRequest, JSONRPCResponse } from "@modelcontextprotocol/server";
import type { Clock } from "../../../system/deps.ts";
import { rpcError } from "../bridge/rpc-error.ts";
import { readCursor } from "./cursor.ts";
import { gather } from "./gather.ts";
import type { Links } from "./links.ts";
import { type ListKind, mergedList, type Part, resultOf } from "./lists.ts";
import type { Member } from "./member.ts";
import type { Known } from "./targets.ts";

export interface ListingOptions {
  readonly known: Known;
  readonly links: Links;
  readonly clock: Clock;
  /** Called with the notification's method when a server's part has come after its list was given. */
  readonly onChanged: (method: string) => void;
}

/** The code of an invalid parameter. */
const INVALID_PARAMS = -32_602;

/** Merges the lists of all servers for one session. */
export class Listing {
  readonly #options: ListingOptions;
  /** Parts that came too late, by method and server: the next list has them, if the server is late again. */
  readonly #late = new Map<string, Map<Member, JSONRPCResponse>>();

  constructor(options: ListingOptions) {
    this.#options = options;
  }

  /**
   * Answers a request for a list. The page of a client's cursor comes from the servers that the cursor names. Returns what
   * cancels the request.
   */
  ask(request: JSONRPCRequest, kind: ListKind, deliver: (answer: JSONRPCResponse) => void): () => void {
    const { known, links, clock, onChanged } = this.#options;
    const { cursor: given, ...params } = request.params ?? {};
    const cursor = given === undefined ? undefined : readCursor(given);
    if (given !== undefined && cursor === undefined) {
      queueMicrotask(() => deliver(rpcError(INVALID_PARAMS, "The cursor is not valid.", request.id)));
      return () => {};
    }
    const asked = known.members.filter(
      (member) => mayList(member, kind) && (cursor === undefined || cursor.has(member.prefix)),
    );
    const late = this.#late.get(request.method) ?? new Map<Member, JSONRPCResponse>();
    this.#late.set(request.method, late);
    const questions = asked.map((member) => {
      const own = cursor?.get(member.prefix);
      const question = withoutToken({ ...request, params: own === undefined ? params : { ...params, cursor: own } });
      return {
        member,
        ask: (take: (answer: JSONRPCResponse) => void) =>
          links.of(member).ask(question, (message) => {
            if (!("method" in message)) take(message);
          }),
      };
    });
    return gather(questions, {
      clock,
      onDone: (answers) => {
        for (const member of answers.keys()) late.delete(member);
        const of = (member: Member): JSONRPCResponse | undefined =>
          answers.get(member) ?? (cursor === undefined ? late.get(member) : undefined);
        deliver(this.#merged(request, kind, asked, of));
      },
      onLate: (member, answer) => {
        const result = resultOf(answer);
        if (cursor !== undefined || result === undefined) return;
        const before = late.get(member);
        late.set(member, answer);
        if (JSON.stringify(before && resultOf(before)) !== JSON.stringify(result)) onChanged(kind.changed);
      },
    });
  }

  /** Learns the names in one server's part of a list. */
  learn(kind: ListKind, part: Part): void {
    mergedList(kind, [part], this.#options.known.owners);
  }

  #merged(
    request: JSONRPCRequest,
    kind: ListKind,
    asked: readonly Member[],
    of: (member: Member) => JSONRPCResponse | undefined,
  ): JSONRPCResponse {
    const { known } = this.#options;
    const only = known.members.length === 1 && asked[0] ? of(asked[0]) : undefined;
    // Behind a hub with one server nothing hides its errors. Among several, a failure takes its own part away only.
    if (only && resultOf(only) === undefined) return { ...only, id: request.id };
    const parts = asked.flatMap((member): Part[] => {
      const answer = of(member);
      const result = answer && resultOf(answer);
      return result ? [{ member, result }] : [];
    });
    return { jsonrpc: "2.0", id: request.id, result: mergedList(kind, parts, known.owners) };
  }
}

/** Whether a server may have such a list. One that has not said what it can do may. */
function mayList({ facts }: Member, { capability }: ListKind): boolean {
  return facts === undefined || facts.capabilities[capability] !== undefined;
}

/** Removes the progress token, which would stand for as many requests as there are servers. */
export function withoutToken(request: JSONRPCRequest): JSONRPCRequest {
  if (request.params?._meta?.progressToken === undefined) return request;
  const { progressToken: _, ..._meta } = request.params._meta;
  return { ...request, params: { ...request.params, _meta } };
}
