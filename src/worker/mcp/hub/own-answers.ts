import type { JSONRPCRequest, JSONRPCResponse } from "@modelcontextprotocol/server";
import { FIRST_STATELESS } from "../bridge/era.ts";
import { RPC, rpcError } from "../bridge/rpc-error.ts";
import { type Dialect, OLDER, sameDialect } from "./dialect.ts";
import type { Member } from "./member.ts";

/** Answers for a name that no list has. */
export function unknownName({ id, params }: JSONRPCRequest): JSONRPCResponse {
  return rpcError(-32_602, `Unknown name: ${String(params?.["name"]).slice(0, 200)}`, id);
}

/** Finds out how a server speaks with clients without sessions. */
export async function dialectFor({ server, era }: Member): Promise<Dialect> {
  if (!server.maybeStateless) return OLDER;
  const versions = await era.versions();
  return versions.includes(FIRST_STATELESS) ? sameDialect(undefined) : OLDER;
}

/** Answers a server's request where there is no session in which to ask a client. */
export function answerAlone({ id, method }: JSONRPCRequest): JSONRPCResponse {
  if (method === "ping") return { jsonrpc: "2.0", id, result: {} };
  return rpcError(RPC.methodNotFound, "There is no session in which to ask.", id);
}
