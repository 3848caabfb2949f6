import { isRecord } from "../json/parse.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import { isModelId, MAX_MODELS } from "../wire/names.ts";
import { joinedInfo, toInfo } from "./listed-info.ts";

/** The contents of a model server's list. */
export interface ModelList {
  /** In the server's order, without repeats. */
  readonly models: readonly string[];
  /** What the server says of its models, for those of which it says anything. */
  readonly info: readonly ModelInfo[];
  /** The owner of the first model, by which servers can be distinguished. */
  readonly ownedBy: string | undefined;
}

/**
 * Reads a list of models in any format in use: OpenAI's `{data: [{id}]}`, to which llama.cpp adds a second list called
 * `models`; Ollama's `{models: [{name}]}`; and a bare array. Leaves out entries that are not models and, with `task`, those
 * that state another task. Returns undefined for anything that is not a list.
 */
export function parseModelList(json: unknown, task?: string): ModelList | undefined {
  const entries = toEntries(json);
  if (!entries) return undefined;
  const ids = new Set<string>();
  const info = new Map<string, ModelInfo>();
  const more = extraInfo(json, entries);
  for (const entry of entries) {
    const id = isFor(entry, task) ? toId(entry) : undefined;
    if (id === undefined || ids.has(id) || ids.size >= MAX_MODELS) continue;
    ids.add(id);
    const said = joinedInfo(isRecord(entry) ? toInfo(id, entry) : undefined, more.get(id));
    if (said) info.set(id, said);
    for (const alias of aliasesIn(entry)) {
      if (ids.has(alias) || ids.size >= MAX_MODELS) continue;
      ids.add(alias);
      if (said) info.set(alias, { ...said, id: alias });
    }
  }
  const owner = isRecord(entries[0]) ? entries[0]["owned_by"] : undefined;
  return { models: [...ids], info: [...info.values()], ownedBy: typeof owner === "string" ? owner : undefined };
}

/** Returns what llama.cpp's second list adds, by id. */
function extraInfo(json: unknown, entries: readonly unknown[]): ReadonlyMap<string, ModelInfo> {
  const more = new Map<string, ModelInfo>();
  const second = isRecord(json) ? json["models"] : undefined;
  if (!Array.isArray(second) || second === entries) return more;
  for (const entry of second.slice(0, MAX_MODELS)) {
    const id = toId(entry);
    const info = id !== undefined && isRecord(entry) ? toInfo(id, entry) : undefined;
    if (info) more.set(info.id, info);
  }
  return more;
}

/** Returns the other names that llama.cpp takes for a model (`--alias a,b`). */
function aliasesIn(entry: unknown): readonly string[] {
  const aliases = isRecord(entry) && Object.hasOwn(entry, "aliases") ? entry["aliases"] : undefined;
  return Array.isArray(aliases) ? aliases.filter((each) => typeof each === "string" && isModelId(each)) : [];
}

function toEntries(json: unknown): readonly unknown[] | undefined {
  if (Array.isArray(json)) return json;
  if (!isRecord(json)) return undefined;
  const { data, models } = json;
  if (Array.isArray(data)) return data;
  // Go writes an empty slice as `null`: a server without models.
  if (data === null && json["object"] === "list") return [];
  return Array.isArray(models) ? models : undefined;
}

/** Returns whether a model is for the task. Most servers state none: all their models are for one task. */
function isFor(entry: unknown, task: string | undefined): boolean {
  const stated = isRecord(entry) ? entry["task"] : undefined;
  return task === undefined || typeof stated !== "string" || stated === task;
}

function toId(entry: unknown): string | undefined {
  const value = isRecord(entry) ? (entry["id"] ?? entry["name"] ?? entry["model"]) : entry;
  return typeof value === "string" && isModelId(value) ? value : undefined;
}
