import * as v from "valibot";
import type { RelayTerms } from "../auth/caller.ts";
import { isMatch, toGlob } from "../system/globs.ts";
import { MAX_RULE_CHARS, MAX_RULES, type McpRules, RULE_LISTS } from "../wire/mcp-call.ts";
import type { KeyMcp } from "./key-terms.ts";
import { changes, MAX_RATE } from "./limit-spec.ts";
import { amountField, removable } from "./spec-fields.ts";

// What a client's key allows at connector relays: those that leave it to this server who may call.

const PATTERN_FORM = `text of 1 to ${MAX_RULE_CHARS} characters in one line, in which * stands for any characters`;
const patternField = v.pipe(
  v.string(PATTERN_FORM),
  v.trim(),
  v.nonEmpty(PATTERN_FORM),
  v.maxLength(MAX_RULE_CHARS, PATTERN_FORM),
  v.check((text) => !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text), PATTERN_FORM),
);
const patternsField = removable(
  v.pipe(
    v.array(patternField, "a list of patterns"),
    v.maxLength(MAX_RULES, `at most ${MAX_RULES} patterns`),
    v.transform((given) => [...new Set(given)]),
  ),
);

/** More than a server runs at once. */
const MAX_PARALLEL = 100_000;

/** The fields of a request that set these terms. */
export const mcpFields = {
  relays: patternsField,
  tools: patternsField,
  prompts: patternsField,
  resources: patternsField,
  parallel: removable(amountField(1, MAX_PARALLEL)),
  requests_per_minute: removable(amountField(1, MAX_RATE)),
};

export const mcpSchema = v.strictObject(mcpFields, "a mapping with relays, tools, prompts, resources and limits");

export type GivenMcp = v.InferOutput<typeof mcpSchema>;

/** Takes each of the terms away. */
export const NO_MCP: GivenMcp = {
  relays: null,
  tools: null,
  prompts: null,
  resources: null,
  parallel: null,
  requests_per_minute: null,
};

/** Returns what a request changes: a member that is undefined is removed, and one that is absent stays. */
export function toMcp(given: GivenMcp): Partial<KeyMcp> {
  const { requests_per_minute: requestsPerMinute, ...rest } = given;
  return changes({ ...rest, requestsPerMinute });
}

/** Returns the terms in the form of a request. */
export function mcpJson({ requestsPerMinute, ...rest }: KeyMcp) {
  return changes({ ...rest, requests_per_minute: requestsPerMinute });
}

/** Returns what a key with these terms may do at relays. */
export function toRelayTerms({ relays, parallel, requestsPerMinute, ...lists }: KeyMcp): RelayTerms {
  const globs = relays?.map(toGlob);
  const rules: { -readonly [K in keyof McpRules]: McpRules[K] } = {};
  for (const name of RULE_LISTS) {
    const list = lists[name];
    if (list !== undefined) rules[name] = list;
  }
  return {
    mayCall: (relayId) => globs === undefined || globs.some((glob) => isMatch(glob, relayId)),
    ...(Object.keys(rules).length > 0 && { rules }),
    ...(parallel !== undefined && { parallel }),
    ...(requestsPerMinute !== undefined && { requestsPerMinute }),
  };
}
