import { isRecord } from "../json/parse.ts";
import { type Chain, ChainBuilder } from "./chain-builder.ts";

const PATHS: ReadonlySet<string> = new Set(["/chat/completions", "/completions", "/responses", "/messages"]);
/**
 * What stands before the messages in a prompt, and the salt by which vLLM keeps the caches of prompts apart. The order is
 * fixed, so the order of the members in a body does not matter.
 */
const HEAD = ["cache_salt", "tools", "functions", "system", "instructions"] as const;

/** Returns whether a request of this path, relative to the API's base, has a prompt that a backend may keep. */
export function hasPrompt(path: string): boolean {
  return PATHS.has(path);
}

/**
 * Computes the hashes of a request's prompt. Undefined for paths without a prompt, and for prompts too short to remember.
 *
 * It works on the parsed body, because hashing the strings that the parser has made costs a twentieth of parsing them, while
 * finding the borders of messages in the bytes costs more than parsing. It also makes the same prompt have the same hashes
 * however it is written: with other escapes, with content as a text or as blocks, with cache marks on other blocks.
 */
export function chainOf(body: Readonly<Record<string, unknown>>, path: string, seed: bigint): Chain | undefined {
  if (!hasPrompt(path)) return undefined;
  const builder = new ChainBuilder(seed);
  for (const name of HEAD) if (body[name] !== undefined) builder.addHead(name, body[name]);
  const content = body["messages"] ?? body["input"] ?? body["prompt"];
  if (Array.isArray(content)) addList(builder, content);
  else if (typeof content === "string") builder.addText(content);
  return builder.build();
}

function addList(builder: ChainBuilder, content: readonly unknown[]): void {
  const [first] = content;
  if (isRecord(first)) builder.addMessages(content);
  else if (typeof first === "number") builder.addTokens(content);
  else if (typeof first === "string") builder.addText(first);
  else if (Array.isArray(first)) builder.addTokens(first);
}
