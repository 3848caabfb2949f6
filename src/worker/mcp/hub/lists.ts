import type { JSONRPCResponse } from "@modelcontextprotocol/server";
import { isRecord } from "../../../json/parse.ts";
import { isErrorResponse } from "../bridge/message-kinds.ts";
import { toCursor } from "./cursor.ts";
import type { Member } from "./member.ts";
import type { ResourceOwners } from "./owners.ts";

/** A list that a hub merges. */
export interface ListKind {
  /** The field of the result that has the items. */
  readonly field: "tools" | "prompts" | "resources" | "resourceTemplates";
  /** The capability of servers that have such a list. */
  readonly capability: "tools" | "prompts" | "resources";
  /** The notification that such a list has changed. */
  readonly changed: string;
}

export const LISTS: ReadonlyMap<string, ListKind> = new Map(
  (
    [
      ["tools/list", "tools", "tools"],
      ["prompts/list", "prompts", "prompts"],
      ["resources/list", "resources", "resources"],
      ["resources/templates/list", "resourceTemplates", "resources"],
    ] as const
  ).map(([method, field, capability]) => [
    method,
    { field, capability, changed: `notifications/${capability}/list_changed` },
  ]),
);

/** The notifications with which a hub says that any of its lists may have changed. */
export const CHANGED: ReadonlySet<string> = new Set([...LISTS.values()].map(({ changed }) => changed));

/** The most items that one page of one server may have. */
const MAX_ITEMS = 10_000;

/** One server's part of a list. */
export interface Part {
  readonly member: Member;
  readonly result: Readonly<Record<string, unknown>>;
}

/** Merges the parts of a list, in the order given, under the names for clients. */
export function mergedList(
  { field }: ListKind,
  parts: readonly Part[],
  owners: ResourceOwners,
): Readonly<Record<string, unknown>> {
  const items = parts.flatMap(({ member, result }) => {
    const own = result[field];
    return Array.isArray(own)
      ? own.slice(0, MAX_ITEMS).flatMap((item) => exposedItem(field, item, member, owners))
      : [];
  });
  const next = new Map(
    parts.flatMap(({ member, result: { nextCursor } }): [string, string][] =>
      typeof nextCursor === "string" ? [[member.prefix, nextCursor]] : [],
    ),
  );
  const cursor = toCursor(next);
  return { ...freshness(parts), [field]: items, ...(cursor === undefined ? {} : { nextCursor: cursor }) };
}

/** Returns an item under its name for clients; nothing for one that has no name, or that nobody may use. */
function exposedItem(
  field: ListKind["field"],
  item: unknown,
  member: Member,
  owners: ResourceOwners,
): readonly object[] {
  if (!isRecord(item)) return [];
  const { rules } = member.server;
  switch (field) {
    case "tools":
    case "prompts": {
      const { name, annotations } = item;
      if (typeof name !== "string") return [];
      const isAllowed = field === "tools" ? member.judge({ name, annotations }) : rules?.prompt(name) !== false;
      return isAllowed ? [{ ...item, name: member.expose(name) }] : [];
    }
    case "resources": {
      const { uri } = item;
      if (typeof uri !== "string" || rules?.resource(uri) === false) return [];
      return [{ ...item, uri: owners.claim(member, uri) }];
    }
    case "resourceTemplates": {
      const { uriTemplate } = item;
      if (typeof uriTemplate !== "string" || rules?.template(uriTemplate) === false) return [];
      return [{ ...item, uriTemplate: owners.claimTemplate(member, uriTemplate) }];
    }
    default:
      return field satisfies never;
  }
}

/** What results of revisions without sessions say about caching: the most careful of all parts. */
function freshness(parts: readonly Part[]): Readonly<Record<string, unknown>> {
  const stated = parts.filter(({ result }) => result["resultType"] !== undefined);
  if (stated.length === 0) return {};
  const ttls = stated.map(({ result: { ttlMs } }) => (typeof ttlMs === "number" ? ttlMs : 0));
  const isPublic = stated.every(({ result }) => result["cacheScope"] === "public");
  return { resultType: "complete", ttlMs: Math.min(...ttls), cacheScope: isPublic ? "public" : "private" };
}

/** Returns the result of a server's answer; undefined for an error. */
export function resultOf(answer: JSONRPCResponse): Readonly<Record<string, unknown>> | undefined {
  return isErrorResponse(answer) ? undefined : answer.result;
}
