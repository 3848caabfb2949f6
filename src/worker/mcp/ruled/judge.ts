import { isRecord } from "../../../json/parse.ts";
import { RPC } from "../bridge/rpc-error.ts";
import { isName } from "../deciding-members.ts";
import type { RuleSet } from "../rules.ts";
import type { ClientMessage } from "./message.ts";

/** A JSON-RPC error. */
export interface Denial {
  readonly code: number;
  readonly message: string;
  readonly data?: object;
}

export type Verdict =
  | { readonly kind: "allowed" }
  | { readonly kind: "denied"; readonly denial: Denial }
  /** The tool's annotations decide. */
  | { readonly kind: "by-annotations"; readonly tool: string };

/** The code for the name of something that does not exist. What is denied looks the same. */
const UNKNOWN_NAME = -32_602;

const ALLOWED: Verdict = { kind: "allowed" };

/** Decides about a message from its own content. */
export function judge({ method, params }: ClientMessage, rules: RuleSet): Verdict {
  if (method === undefined) return ALLOWED;
  const { restricts } = rules;
  switch (method) {
    case "tools/call": {
      if (!restricts.tools) return ALLOWED;
      const { name } = params;
      const answer = isName(name) && rules.toolNamed(name);
      if (answer === undefined && isName(name)) return { kind: "by-annotations", tool: name };
      return answer ? ALLOWED : denied(unknownTool(name));
    }
    case "prompts/get": {
      const { name } = params;
      return !restricts.prompts || (isName(name) && rules.prompt(name)) ? ALLOWED : denied(unknownPrompt(name));
    }
    case "resources/read":
    case "resources/subscribe":
    case "resources/unsubscribe":
      return mayRead(rules, params["uri"]) ? ALLOWED : denied(unknownResource(params["uri"]));
    case "completion/complete":
      return judgeCompletion(params["ref"], rules);
    case "subscriptions/listen":
      return judgeListening(params["notifications"], rules);
    case "tools/list":
    case "prompts/list":
    case "resources/list":
    case "resources/templates/list":
      return ALLOWED;
    default:
      return isGuarded(method, restricts) ? denied({ code: RPC.methodNotFound, message: "Method not found" }) : ALLOWED;
  }
}

/** What a message names: a tool, a prompt, or a resource's URI. */
export function subjectOf({ method, params }: ClientMessage): string | undefined {
  const ref = isRecord(params["ref"]) ? params["ref"] : {};
  const named =
    method === "tools/call" || method === "prompts/get"
      ? params["name"]
      : method?.startsWith("resources/")
        ? params["uri"]
        : method === "completion/complete"
          ? (ref["name"] ?? ref["uri"])
          : undefined;
  return typeof named === "string" ? named : undefined;
}

export function unknownTool(name: unknown): Denial {
  return { code: UNKNOWN_NAME, message: `Unknown tool: ${shown(name)}` };
}

function unknownPrompt(name: unknown): Denial {
  return { code: UNKNOWN_NAME, message: `Unknown prompt: ${shown(name)}` };
}

function unknownResource(uri: unknown): Denial {
  const data = typeof uri === "string" ? { data: { uri: shown(uri) } } : {};
  return { code: UNKNOWN_NAME, message: "Resource not found", ...data };
}

function denied(denial: Denial): Verdict {
  return { kind: "denied", denial };
}

/** A completion tells something about the prompt or the resource whose argument is completed. */
function judgeCompletion(ref: unknown, rules: RuleSet): Verdict {
  const { restricts } = rules;
  if (!restricts.prompts && !restricts.resources) return ALLOWED;
  const { type, name, uri } = isRecord(ref) ? ref : {};
  if (type === "ref/prompt") {
    return !restricts.prompts || (isName(name) && rules.prompt(name)) ? ALLOWED : denied(unknownPrompt(name));
  }
  if (type !== "ref/resource") return denied(unknownPrompt(name));
  if (!restricts.resources) return ALLOWED;
  const may = isName(uri) && (uri.includes("{") ? rules.template(uri) : rules.resource(uri));
  return may ? ALLOWED : denied(unknownResource(uri));
}

function judgeListening(notifications: unknown, rules: RuleSet): Verdict {
  const uris = isRecord(notifications) ? notifications["resourceSubscriptions"] : undefined;
  if (uris === undefined || !rules.restricts.resources) return ALLOWED;
  if (!Array.isArray(uris)) return denied(unknownResource(uris));
  const forbidden = uris.findIndex((uri) => !mayRead(rules, uri));
  return forbidden === -1 ? ALLOWED : denied(unknownResource(uris[forbidden]));
}

function mayRead(rules: RuleSet, uri: unknown): boolean {
  return !rules.restricts.resources || (isName(uri) && rules.resource(uri));
}

/**
 * Whether a method that is not known here may lead to something restricted. A later revision may add a second way to call a
 * tool, and a server may be lenient about the spelling of the first one. A list of tasks would show those of other callers.
 */
function isGuarded(method: string, { tools, prompts, resources }: RuleSet["restricts"]): boolean {
  const plain = method
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^a-z/]/g, "");
  if (tools && (plain.startsWith("tool") || plain.startsWith("tasks/list"))) return true;
  if (prompts && plain.startsWith("prompt")) return true;
  return (resources && plain.startsWith("resource")) || ((prompts || resources) && plain.startsWith("completion"));
}

function shown(name: unknown): string {
  return typeof name === "string" ? name.slice(0, 200).toWellFormed() : "";
}
