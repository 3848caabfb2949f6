import { asrKind } from "./asr.ts";
import type { Kind } from "./kind.ts";
import { llmKind } from "./llm.ts";

/** Every kind of model server that the worker program can serve, by its name on the command line. */
export const KINDS: ReadonlyMap<string, Kind> = new Map([llmKind, asrKind].map((kind) => [kind.name, kind]));

/** The kind that serves an MCP server instead. */
export const RELAY_KIND = "mcp";

/** Every word that the command line takes for a kind. */
export const KIND_NAMES: readonly string[] = [...KINDS.keys(), RELAY_KIND];
