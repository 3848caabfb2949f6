import { type McpRules, READ_ONLY } from "../../wire/mcp-call.ts";
import { type CallersField, readCallers } from "./callers-field.ts";
import type { Expansion } from "./expansion.ts";
import type { Access, FileSources } from "./mcp-server.ts";

// The fields of an entry in a servers file about who may call, and what.

interface AccessFields {
  readonly url?: string | undefined;
  readonly access?: "none" | "token" | "oauth" | "connector" | undefined;
  readonly auth_token?: string | undefined;
  readonly auth_token_env?: string | undefined;
  readonly oauth?: boolean | undefined;
  readonly callers?: CallersField | undefined;
}

/** Returns who may call, or what is wrong. */
export function readAccess(entry: AccessFields, expansion: Expansion, env: FileSources["env"]): Access | string {
  const { auth_token, auth_token_env, oauth, callers, access, url } = entry;
  if ([auth_token, auth_token_env, oauth || undefined, callers].filter((each) => each !== undefined).length > 1) {
    return "auth_token, auth_token_env, oauth and callers exclude each other";
  }
  const hasToken = auth_token !== undefined || auth_token_env !== undefined || callers !== undefined;
  if (oauth && access !== undefined && access !== "oauth")
    return `oauth: true and access: ${access} exclude each other`;
  if (access === "token" && !hasToken) return "access: token needs auth_token, auth_token_env or callers";
  if (access !== undefined && access !== "token" && hasToken) return `access: ${access} and a token exclude each other`;
  if (isOauth(entry)) return url === undefined ? "only a server with a url can use oauth" : { kind: "oauth" };
  if (callers !== undefined) {
    const read = readCallers(callers, expansion, env);
    return typeof read === "string" ? read : { kind: "callers", callers: read };
  }
  if (auth_token_env !== undefined) {
    const token = env[auth_token_env];
    // Ignoring the missing variable would open the relay to everybody.
    return token ? { kind: "token", token } : `auth_token_env names the variable ${auth_token_env}, which is not set`;
  }
  if (auth_token !== undefined) return { kind: "token", token: auth_token };
  return { kind: access === "connector" ? "connector" : "none" };
}

export function isOauth({ oauth, access }: Pick<AccessFields, "oauth" | "access">): boolean {
  return oauth === true || access === "oauth";
}

interface RuleFields extends Pick<AccessFields, "oauth" | "access"> {
  readonly tools?: readonly string[] | undefined;
  readonly prompts?: readonly string[] | undefined;
  readonly resources?: readonly string[] | undefined;
}

/** Returns what all callers may use, or what is wrong. `ofClients` is what the fields of MCP clients say. */
export function readRules(entry: RuleFields, ofClients: readonly McpRules[]): readonly McpRules[] | string {
  const { tools, prompts, resources } = entry;
  if (isOauth(entry) && tools?.some((each) => each === READ_ONLY || each === `!${READ_ONLY}`)) {
    return `with oauth the relay cannot see which tools are read-only, so tools cannot have ${READ_ONLY}`;
  }
  const own: McpRules = { ...(tools && { tools }), ...(prompts && { prompts }), ...(resources && { resources }) };
  return [own, ...ofClients].filter((each) => Object.keys(each).length > 0);
}
