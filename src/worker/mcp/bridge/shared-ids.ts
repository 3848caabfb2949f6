import {
  type JSONRPCMessage,
  type JSONRPCRequest,
  type ProgressToken,
  type RequestId,
  SUBSCRIPTION_ID_META_KEY,
} from "@modelcontextprotocol/server";
import { isNotification, isResponse } from "./message-kinds.ts";

/** The names that a client gave its request; other clients may use the same ones at the same time. */
export interface OwnNames {
  readonly id: RequestId;
  readonly token: ProgressToken | undefined;
}

export function namesOf({ id, params }: JSONRPCRequest): OwnNames {
  return { id, token: params?._meta?.progressToken };
}

/** Renames a request so that its name is unique among all clients; its progress token, if any, becomes the same. */
export function toShared(request: JSONRPCRequest, id: number): JSONRPCRequest {
  if (request.params?._meta?.progressToken === undefined) return { ...request, id };
  const _meta = { ...request.params._meta, progressToken: id };
  return { ...request, id, params: { ...request.params, _meta } };
}

/** Returns the unique name of the request that a message is about; undefined if it is not about a request. */
export function sharedIdOf(message: JSONRPCMessage): number | undefined {
  const name = nameIn(message);
  return typeof name === "number" ? name : undefined;
}

function nameIn(message: JSONRPCMessage): unknown {
  if (isResponse(message)) return message.id;
  if (!isNotification(message)) return undefined;
  if (message.method === "notifications/progress") return message.params?.["progressToken"];
  return message.params?._meta?.[SUBSCRIPTION_ID_META_KEY];
}

/** Restores the client's own names in a message. A subscription is named after the request that opened it. */
export function toOwn(message: JSONRPCMessage, { id, token }: OwnNames): JSONRPCMessage {
  if (isNotification(message)) {
    if (message.method === "notifications/progress") {
      return { ...message, params: { ...message.params, progressToken: token } };
    }
    const params = withSubscription(message.params, id);
    return params === message.params ? message : { ...message, params };
  }
  if (!isResponse(message)) return message;
  return "result" in message ? { ...message, id, result: withSubscription(message.result, id) } : { ...message, id };
}

interface WithMeta {
  readonly _meta?: Readonly<Record<string, unknown>> | undefined;
}

function withSubscription<T extends WithMeta | undefined>(part: T, id: RequestId): T {
  if (part?._meta?.[SUBSCRIPTION_ID_META_KEY] === undefined) return part;
  return { ...part, _meta: { ...part._meta, [SUBSCRIPTION_ID_META_KEY]: id } };
}
