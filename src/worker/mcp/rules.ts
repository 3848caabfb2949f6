import { isRecord } from "../../json/parse.ts";
import { type Glob, isMatch, toGlob } from "../../system/globs.ts";
import { type McpRules, READ_ONLY } from "../../wire/mcp-call.ts";
import { readMarkedUri } from "./hub/uris.ts";
import { isEvasive, looseUri } from "./resource-uris.ts";

/** A tool as its MCP server lists it. */
export interface ListedTool {
  readonly name: string;
  /** What the server says about it, unchecked. A tool is read-only if its `readOnlyHint` is true. */
  readonly annotations?: unknown;
}

/** What some caller may use, compiled. Texts are compared exactly, with their case. */
export interface RuleSet {
  /** The kinds that have a list. What has none is allowed as a whole. */
  readonly restricts: { readonly tools: boolean; readonly prompts: boolean; readonly resources: boolean };
  /** Whether a tool that the server lists may be used. */
  tool(tool: ListedTool): boolean;
  /** Whether a tool of this name may be used; undefined where that depends on whether it is read-only. */
  toolNamed(name: string): boolean | undefined;
  prompt(name: string): boolean;
  resource(uri: string): boolean;
  /** Whether some URI of this template may be allowed. It errs towards true: code that reads a URI asks `resource` about it. */
  template(uriTemplate: string): boolean;
}

/** Compiles rules. No pattern makes the result slow. */
export function compileRules({ tools, prompts, resources }: McpRules): RuleSet {
  const ofTools = tools && toList(tools);
  const ofPrompts = prompts && toList(prompts);
  const ofResources = resources && toList(resources);
  return {
    restricts: {
      tools: ofTools !== undefined,
      prompts: ofPrompts !== undefined,
      resources: ofResources !== undefined,
    },
    tool: ({ name, annotations }) => ofTools === undefined || allowsTool(ofTools, name, isReadOnly(annotations)),
    toolNamed(name) {
      if (ofTools === undefined) return true;
      const answer = allowsTool(ofTools, name, false);
      return answer === allowsTool(ofTools, name, true) ? answer : undefined;
    },
    prompt: (name) => ofPrompts === undefined || (names(ofPrompts.allowed, name) && !names(ofPrompts.excluded, name)),
    resource: (uri) => ofResources === undefined || allowsUri(ofResources, uri),
    template: (uriTemplate) => ofResources === undefined || allowsTemplate(ofResources, uriTemplate),
  };
}

/** The rules that allow what all of these allow; undefined if none of them is given. */
export function intersect(...sets: readonly (RuleSet | undefined)[]): RuleSet | undefined {
  const given = sets.filter((set) => set !== undefined);
  if (given.length < 2) return given[0];
  return {
    restricts: {
      tools: given.some(({ restricts }) => restricts.tools),
      prompts: given.some(({ restricts }) => restricts.prompts),
      resources: given.some(({ restricts }) => restricts.resources),
    },
    tool: (tool) => given.every((set) => set.tool(tool)),
    toolNamed(name) {
      const answers = given.map((set) => set.toolNamed(name));
      if (answers.includes(false)) return false;
      return answers.includes(undefined) ? undefined : true;
    },
    prompt: (name) => given.every((set) => set.prompt(name)),
    resource: (uri) => given.every((set) => set.resource(uri)),
    template: (uriTemplate) => given.every((set) => set.template(uriTemplate)),
  };
}

interface Patterns {
  readonly texts: ReadonlySet<string>;
  readonly globs: readonly Glob[];
}

interface List {
  /** A list of exclusions alone allows everything else. */
  readonly allowed: Patterns | "all";
  readonly excluded: Patterns;
}

function toList(patterns: readonly string[]): List {
  const excluded = patterns.filter((each) => each.startsWith("!")).map((each) => each.slice(1));
  const allowed = patterns.filter((each) => !each.startsWith("!"));
  const isAll = allowed.includes("*") || (allowed.length === 0 && excluded.length > 0);
  return { allowed: isAll ? "all" : toPatterns(allowed), excluded: toPatterns(excluded) };
}

function toPatterns(patterns: readonly string[]): Patterns {
  return {
    texts: new Set(patterns.filter((each) => !each.includes("*"))),
    globs: patterns.filter((each) => each.includes("*")).map(toGlob),
  };
}

function names(patterns: Patterns | "all", text: string): boolean {
  if (patterns === "all") return true;
  return patterns.texts.has(text) || patterns.globs.some((glob) => isMatch(glob, text));
}

function allowsTool({ allowed, excluded }: List, name: string, readOnly: boolean): boolean {
  return namesTool(allowed, name, readOnly) && !namesTool(excluded, name, readOnly);
}

function namesTool(patterns: Patterns | "all", name: string, readOnly: boolean): boolean {
  if (names(patterns, name) && name !== READ_ONLY) return true;
  return patterns === "all" || (readOnly && patterns.texts.has(READ_ONLY));
}

function isReadOnly(annotations: unknown): boolean {
  return isRecord(annotations) && annotations["readOnlyHint"] === true;
}

/**
 * Whether a URI may be used. Servers resolve URIs, so one with `..` may name something outside the place that a pattern means,
 * and only its exact text allows it. An exclusion also counts for other spellings of the URI, as far as they are known here.
 */
function allowsUri({ allowed, excluded }: List, uri: string): boolean {
  // Where two servers behind one URL have the same one, the second has it with a mark.
  for (const each of [uri, readMarkedUri(uri)?.uri ?? uri]) {
    if (names(excluded, each) || names(excluded, looseUri(each))) return false;
  }
  if (!isEvasive(uri)) return names(allowed, uri);
  const hasExclusions = excluded.texts.size + excluded.globs.length > 0;
  return allowed === "all" ? !hasExclusions : allowed.texts.has(uri);
}

function allowsTemplate({ allowed, excluded }: List, uriTemplate: string): boolean {
  if (names(excluded, uriTemplate)) return false;
  if (allowed === "all") return true;
  // What a template has before its first expression and after its last one is in every URI made from it.
  const start = uriTemplate.indexOf("{");
  const head = start === -1 ? uriTemplate : uriTemplate.slice(0, start);
  const tail = start === -1 ? uriTemplate : uriTemplate.slice(uriTemplate.lastIndexOf("}") + 1);
  return [...[...allowed.texts].map((text) => [text]), ...allowed.globs].some((glob) => {
    const first = glob[0] ?? "";
    const last = glob.at(-1) ?? "";
    const isExact = glob.length === 1;
    const isBegun = first.startsWith(head) || (!isExact && head.startsWith(first));
    return isBegun && (last.endsWith(tail) || (!isExact && tail.endsWith(last)));
  });
}
