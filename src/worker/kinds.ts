import { asrKind } from "./asr.ts";
import type { Kind } from "./kind.ts";
import { llmKind } from "./llm.ts";

/** Every kind that the worker program can serve, by its name on the command line. */
export const KINDS: ReadonlyMap<string, Kind> = new Map([llmKind, asrKind].map((kind) => [kind.name, kind]));
