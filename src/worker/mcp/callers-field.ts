import * as v from "valibot";
import { isWeakKey } from "../../system/key-strength.ts";
import { MAX_RULE_CHARS, MAX_RULES, READ_ONLY } from "../../wire/mcp-call.ts";
import { isId } from "../../wire/names.ts";
import type { Expansion } from "./expansion.ts";
import type { FileCaller, FileSources } from "./mcp-server.ts";

// The callers of a server in a servers file, and the lists of what may be used.

/** The most callers of one server. Each wrong token is compared with all of theirs. */
const MAX_CALLERS = 1000;

/** Patterns of one kind. A lone asterisk is how GitHub Copilot writes a list of all tools. */
export const patternsSchema = v.union([
  v.pipe(v.array(v.pipe(v.string(), v.nonEmpty(), v.maxLength(MAX_RULE_CHARS))), v.maxLength(MAX_RULES)),
  v.pipe(
    v.literal("*"),
    v.transform(() => ["*"]),
  ),
]);

const text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(4096));
const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100_000));

const callerSchema = v.strictObject({
  token: v.optional(text),
  token_env: v.optional(text),
  tools: v.optional(patternsSchema),
  prompts: v.optional(patternsSchema),
  resources: v.optional(patternsSchema),
  parallel: v.optional(count),
  requests_per_minute: v.optional(count),
});

export const callersSchema = v.pipe(
  v.record(v.pipe(v.string(), v.check(isId)), callerSchema),
  v.check((callers) => Object.keys(callers).length > 0 && Object.keys(callers).length <= MAX_CALLERS),
);

export const CALLERS_TAKE =
  "it takes a map of names to callers, each with token or token_env, and if you like tools, prompts, resources, parallel and requests_per_minute";

export const PATTERNS_TAKE = `it takes a list of at most ${MAX_RULES} patterns, such as read_*, ${READ_ONLY} or !delete_*`;

export type CallersField = v.InferOutput<typeof callersSchema>;

/** Returns the callers, or what is wrong. */
export function readCallers(
  callers: CallersField,
  expansion: Expansion,
  env: FileSources["env"],
): readonly FileCaller[] | string {
  const read: FileCaller[] = [];
  const tokens = new Map<string, string>();
  for (const [name, caller] of Object.entries(callers)) {
    const token = tokenOf(caller, expansion, env);
    if (token.kind === "fault") return `the caller ${name} ${token.text}`;
    const other = tokens.get(token.text);
    if (other !== undefined) return `the callers ${other} and ${name} have the same token`;
    tokens.set(token.text, name);
    const { tools, prompts, resources, parallel, requests_per_minute } = caller;
    const rules = {
      ...(tools && { tools }),
      ...(prompts && { prompts }),
      ...(resources && { resources }),
    };
    read.push({ name, token: token.text, rules, parallel, requestsPerMinute: requests_per_minute });
  }
  return read;
}

/** The callers whose token could be guessed. */
export function weakCallers(callers: readonly FileCaller[]): readonly string[] {
  return callers.filter(({ token }) => isWeakKey(token)).map(({ name }) => name);
}

function tokenOf(
  { token, token_env }: CallersField[string],
  expansion: Expansion,
  env: FileSources["env"],
): { readonly kind: "token" | "fault"; readonly text: string } {
  if ((token === undefined) === (token_env === undefined)) return { kind: "fault", text: "needs token or token_env" };
  if (token !== undefined) {
    const filled = expansion.fill(token);
    // An empty variable would make a token that cannot be sent.
    return filled === "" ? { kind: "fault", text: "has an empty token" } : { kind: "token", text: filled };
  }
  const set = env[token_env ?? ""];
  if (set) return { kind: "token", text: set };
  return { kind: "fault", text: `has the token_env ${token_env}, which is not set` };
}
