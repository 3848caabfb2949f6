import { isRecord } from "../../../json/parse.ts";
import type { RuleSet } from "../rules.ts";

/**
 * Returns a message of the MCP server as a caller may see it: the same value if nothing is to be changed, and undefined if
 * the caller must not get it at all. Every result is looked at, whatever it answers, because a stream may bring the
 * results of other requests.
 */
export function restricted(message: unknown, rules: RuleSet): unknown {
  if (Array.isArray(message)) return restrictedBatch(message, rules);
  if (!isRecord(message)) return message;
  const { result, method, params } = message;
  if (method === "notifications/resources/updated") {
    const uri = isRecord(params) ? params["uri"] : undefined;
    return !rules.restricts.resources || (typeof uri === "string" && rules.resource(uri)) ? message : undefined;
  }
  if (!isRecord(result)) return message;
  const lists = restrictedLists(result, rules);
  return lists === undefined ? message : { ...message, result: { ...result, ...lists } };
}

function restrictedBatch(messages: readonly unknown[], rules: RuleSet): unknown {
  const kept = messages.map((each) => restricted(each, rules));
  if (kept.every((each, index) => each === messages[index])) return messages;
  const left = kept.filter((each) => each !== undefined);
  return left.length === 0 ? undefined : left;
}

/** A list, and whether a caller may get an item of it. */
type ListRule = readonly [key: string, allows: (item: Readonly<Record<string, unknown>>) => boolean];

function listRules(rules: RuleSet): readonly ListRule[] {
  const { tools, prompts, resources } = rules.restricts;
  const all: ListRule[] = [];
  if (tools) {
    all.push(["tools", ({ name, annotations }) => typeof name === "string" && rules.tool({ name, annotations })]);
  }
  if (prompts) all.push(["prompts", ({ name }) => typeof name === "string" && rules.prompt(name)]);
  if (resources) {
    all.push(["resources", ({ uri }) => typeof uri === "string" && rules.resource(uri)]);
    all.push([
      "resourceTemplates",
      ({ uriTemplate }) => typeof uriTemplate === "string" && rules.template(uriTemplate),
    ]);
  }
  return all;
}

/** The members of a result that change by the rules; undefined for none. */
function restrictedLists(result: Readonly<Record<string, unknown>>, rules: RuleSet): object | undefined {
  const changed: Record<string, unknown> = {};
  let hasLists = false;
  for (const [key, allows] of listRules(rules)) {
    if (!Object.hasOwn(result, key)) continue;
    hasLists = true;
    const list = result[key];
    const kept = Array.isArray(list) ? list.filter((item) => isRecord(item) && allows(item)) : [];
    if (!Array.isArray(list) || kept.length < list.length) changed[key] = kept;
  }
  // A list for one caller is not one for all.
  if (hasLists && Object.hasOwn(result, "cacheScope") && result["cacheScope"] !== "private") {
    changed["cacheScope"] = "private";
  }
  return Object.keys(changed).length === 0 ? undefined : changed;
}
