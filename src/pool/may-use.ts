import type { Caller } from "../auth/caller.ts";
import { listedName } from "./alias.ts";

/** Returns whether a caller may ask for a model by this name. The name that Ollama lists for it counts as well. */
export function mayUse(caller: Caller, model: string): boolean {
  return caller.may(model) || caller.may(listedName(model));
}
