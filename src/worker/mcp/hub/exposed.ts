import type { JSONRPCNotification, JSONRPCResponse } from "@modelcontextprotocol/server";
import { isRecord } from "../../../json/parse.ts";
import { isErrorResponse } from "../bridge/message-kinds.ts";
import type { Member } from "./member.ts";
import type { ResourceOwners } from "./owners.ts";

// What a server says of its resources, under the names that clients know.

/** Returns a server's answer with the URIs for clients. */
export function exposedAnswer(answer: JSONRPCResponse, member: Member, owners: ResourceOwners): JSONRPCResponse {
  if (isErrorResponse(answer)) return answer;
  const { content, contents, messages } = answer.result;
  // Most results name no resource, and are passed on as they are.
  const changed = {
    ...changedList("content", content, (item) => exposedContent(item, member, owners)),
    ...changedList("contents", contents, (item) => withUri(item, member, owners)),
    ...changedList("messages", messages, (item) => exposedMessage(item, member, owners)),
  };
  return Object.keys(changed).length === 0 ? answer : { ...answer, result: { ...answer.result, ...changed } };
}

/** Returns a server's notification as clients should see it. */
export function exposedNotification(
  message: JSONRPCNotification,
  member: Member,
  owners: ResourceOwners,
): JSONRPCNotification {
  const { method, params } = message;
  if (method === "notifications/resources/updated")
    return { ...message, params: withUri(params ?? {}, member, owners) };
  if (method !== "notifications/message") return message;
  const logger = params?.["logger"];
  return {
    ...message,
    params: { ...params, logger: typeof logger === "string" ? `${member.prefix}/${logger}` : member.prefix },
  };
}

function changedList(
  name: string,
  list: unknown,
  change: (item: unknown) => unknown,
): Readonly<Record<string, unknown>> {
  if (!Array.isArray(list)) return {};
  const changed = list.map(change);
  return changed.some((item, at) => item !== list[at]) ? { [name]: changed } : {};
}

function exposedMessage(message: unknown, member: Member, owners: ResourceOwners): unknown {
  if (!isRecord(message)) return message;
  const content = exposedContent(message["content"], member, owners);
  return content === message["content"] ? message : { ...message, content };
}

function exposedContent(item: unknown, member: Member, owners: ResourceOwners): unknown {
  if (!isRecord(item)) return item;
  if (item["type"] === "resource_link") return withUri(item, member, owners);
  if (item["type"] !== "resource") return item;
  const resource = withUri(item["resource"], member, owners);
  return resource === item["resource"] ? item : { ...item, resource };
}

function withUri<T>(item: T, member: Member, owners: ResourceOwners): T {
  if (!isRecord(item) || typeof item["uri"] !== "string") return item;
  const uri = owners.expose(member, item["uri"]);
  return uri === item["uri"] ? item : { ...item, uri };
}
