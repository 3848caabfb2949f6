import type { JSONRPCRequest } from "@modelcontextprotocol/server";
import { isRecord } from "../../../json/parse.ts";
import { RPC } from "../bridge/rpc-error.ts";
import { isAmbiguous, isName } from "../deciding-members.ts";
import type { Member } from "./member.ts";
import { maybeShortened, splitName } from "./names.ts";
import type { Owned, ResourceOwners } from "./owners.ts";

/** What the targets of requests depend on. */
export interface Known {
  readonly members: readonly Member[];
  readonly byPrefix: ReadonlyMap<string, Member>;
  readonly owners: ResourceOwners;
}

/** Where a request goes. */
export type Target =
  /** To one server, with the server's own names in it. */
  | { readonly kind: "member"; readonly member: Member; readonly request: JSONRPCRequest }
  /** To the first of these that answers it: nothing has shown yet which server has the resource. */
  | { readonly kind: "any"; readonly members: readonly Member[]; readonly request: JSONRPCRequest }
  /** The server has to list its tools or prompts by this method first, since the name was shortened. */
  | { readonly kind: "unlisted"; readonly member: Member; readonly method: string }
  | { readonly kind: "refused"; readonly code: number; readonly message: string };

/** The code of an invalid parameter, with which servers answer for a name that they do not have. */
const INVALID_PARAMS = -32_602;

/** The most characters of a name in an error. */
const MAX_SHOWN_CHARS = 200;

/** Whether a server may read another request than the one to which rules are applied here. */
export function mayEvade({ params }: JSONRPCRequest, { members }: Known): boolean {
  return members.some(({ server }) => server.rules !== undefined) && isAmbiguous(params);
}

/** Finds the target of a request about one tool, prompt or resource; undefined for any other request. */
export function targetOf(request: JSONRPCRequest, known: Known): Target | undefined {
  const { method, params } = request;
  switch (method) {
    case "tools/call":
      return byName(request, params?.["name"], "tools/list", known, (name) => ({ ...params, name }));
    case "prompts/get":
      return byName(request, params?.["name"], "prompts/list", known, (name) => ({ ...params, name }));
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return byUri(request, params?.["uri"], known, known.owners.find(String(params?.["uri"])), (uri) => ({
        ...params,
        uri,
      }));
    case "completion/complete":
      return byReference(request, params?.["ref"], known);
    default:
      return undefined;
  }
}

type Params = NonNullable<JSONRPCRequest["params"]>;

function byReference(request: JSONRPCRequest, ref: unknown, known: Known): Target {
  if (!isRecord(ref)) return refused("The parameter ref is missing");
  const { params } = request;
  if (ref["type"] === "ref/prompt") {
    return byName(request, ref["name"], "prompts/list", known, (name) => ({ ...params, ref: { ...ref, name } }));
  }
  const owned = known.owners.findTemplate(String(ref["uri"]));
  return byUri(request, ref["uri"], known, owned, (uri) => ({ ...params, ref: { ...ref, uri } }));
}

function byName(
  request: JSONRPCRequest,
  exposed: unknown,
  listedBy: string,
  { byPrefix }: Known,
  withName: (name: string) => Params,
): Target {
  const what = listedBy === "tools/list" ? "tool" : "prompt";
  if (typeof exposed !== "string") return refused("The parameter name is missing");
  const parts = splitName(exposed);
  const member = parts && byPrefix.get(parts.prefix);
  // A tool that rules forbid is refused in the same words.
  const notFound = refused(`Unknown ${what}: ${exposed.slice(0, MAX_SHOWN_CHARS)}`);
  if (!parts || !member) return notFound;
  const unlisted: Target = { kind: "unlisted", member, method: listedBy };
  const name = member.ownName(exposed, parts.rest);
  if (name === undefined) return maybeShortened(exposed) ? unlisted : notFound;
  if (member.server.rules && !isName(name)) return notFound;
  const isAllowed = what === "tool" ? member.allowsTool(name) : member.server.rules?.prompt(name) !== false;
  if (isAllowed === undefined) return unlisted;
  if (!isAllowed) return notFound;
  return { kind: "member", member, request: { ...request, params: withName(name) } };
}

function byUri(
  request: JSONRPCRequest,
  uri: unknown,
  { members }: Known,
  owned: Owned | undefined,
  withUri: (uri: string) => Params,
): Target {
  if (typeof uri !== "string") return refused("The parameter uri is missing");
  const notFound = refused("Resource not found");
  const allows = ({ server: { rules } }: Member, own: string): boolean =>
    !rules || (isName(own) && (own.includes("{") ? rules.template(own) : rules.resource(own)));
  if (owned) {
    if (!allows(owned.member, owned.uri)) return notFound;
    return { kind: "member", member: owned.member, request: { ...request, params: withUri(owned.uri) } };
  }
  const candidates = members.filter((each) => hasResources(each) && allows(each, uri));
  return candidates.length === 0 ? notFound : { kind: "any", members: candidates, request };
}

/** Whether a server may have resources. One that has not said so may. */
function hasResources({ facts }: Member): boolean {
  return facts === undefined || facts.capabilities["resources"] !== undefined;
}

function refused(message: string): Extract<Target, { kind: "refused" }> {
  return { kind: "refused", code: INVALID_PARAMS, message };
}

/** The code for a method that no server has. */
export const UNKNOWN_METHOD = { kind: "refused", code: RPC.methodNotFound, message: "Method not found" } as const;
