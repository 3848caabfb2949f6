import { asrKind } from "./asr.ts";
import type { Kind } from "./kind.ts";
import { llmKind } from "./llm.ts";

/** The kinds that are served by a model server, by their names on the command line. */
export const KINDS: ReadonlyMap<string, Kind> = new Map([llmKind, asrKind].map((kind) => [kind.name, kind]));

/** The kind that relays to MCP servers instead. */
export const RELAY_KIND = "mcp";

/** Every kind that the command line accepts. */
export const KIND_NAMES: readonly string[] = [...KINDS.keys(), RELAY_KIND];
