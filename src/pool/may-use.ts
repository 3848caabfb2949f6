import type { Caller } from "../auth/caller.ts";
import { listedName } from "./alias.ts";

/**
 * Returns whether a caller may use a model by this name. The names that Ollama takes for one model count as one: a caller
 * that may use `llama3` may use `llama3:latest` as well, and the other way round.
 */
export function mayUse(caller: Caller, model: string): boolean {
  if (caller.may(model)) return true;
  const listed = listedName(model);
  return caller.may(listed) || (listed.endsWith(LATEST) && caller.may(listed.slice(0, -LATEST.length)));
}

const LATEST = ":latest";
