import { type JSONRPCRequest, type JSONRPCResponse, SERVER_INFO_META_KEY } from "@modelcontextprotocol/server";
import type { Clock } from "../../../system/deps.ts";
import { VERSION } from "../../../system/version.ts";
import { FIRST_STATELESS } from "../bridge/era.ts";
import { agreedVersion, factsIn, mergedFacts } from "./facts.ts";
import { gather } from "./gather.ts";
import type { Links } from "./links.ts";
import { resultOf } from "./lists.ts";
import type { Member } from "./member.ts";
import type { Known } from "./targets.ts";

/** What all sessions of a hub share. */
export interface HubShared extends Known {
  /** The name by which clients know the hub. */
  readonly name: string;
  readonly clock: Clock;
}

type Finish = (answer: JSONRPCResponse) => void;

/** Answers a client's `initialize`. Returns what cancels that. */
export function initialize(hub: HubShared, links: Links, request: JSONRPCRequest, finish: Finish): () => void {
  const ask = (member: Member, onMet: () => void): (() => void) => links.of(member).whenSettled(onMet);
  return meet(hub, ask, () => {
    const result = {
      protocolVersion: agreedVersion(request.params?.["protocolVersion"]),
      serverInfo: { name: hub.name, version: VERSION },
      ...mergedFacts(hub.members),
    };
    finish({ jsonrpc: "2.0", id: request.id, result });
  });
}

/** Answers a client's `server/discover`. Returns what cancels that. */
export function discover(hub: HubShared, links: Links, request: JSONRPCRequest, finish: Finish): () => void {
  const ask = (member: Member, onMet: () => void): (() => void) =>
    links.of(member).ask(request, (message) => {
      if ("method" in message) return;
      const result = resultOf(message);
      if (result) member.noteOpened(factsIn(result));
      onMet();
    });
  return meet(hub, ask, () => {
    const result = {
      supportedVersions: [FIRST_STATELESS],
      ...mergedFacts(hub.members),
      resultType: "complete",
      ttlMs: 0,
      cacheScope: "private",
      _meta: { [SERVER_INFO_META_KEY]: { name: hub.name, version: VERSION } },
    };
    finish({ jsonrpc: "2.0", id: request.id, result });
  });
}

/** Asks the servers that have not said yet what they can do. The others start when they are needed. */
function meet(
  { members, clock }: HubShared,
  ask: (member: Member, onMet: () => void) => () => void,
  onDone: () => void,
): () => void {
  const unknown = members.filter(({ facts }) => facts === undefined);
  const questions = unknown.map((member) => ({
    member,
    ask: (take: (answer: undefined) => void) => ask(member, () => take(undefined)),
  }));
  return gather(questions, { clock, onDone });
}
