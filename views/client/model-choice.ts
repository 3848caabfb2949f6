import type { ModelRow } from "./model-kinds.ts";

/**
 * Returns the model that a panel has chosen, when the models change: the same one while it is served, the one of the address,
 * or the first. One that is gone stays while there is no other, because its worker may come back.
 */
export function settledModel(
  choices: readonly ModelRow[],
  { chosen, asked }: { readonly chosen: string; readonly asked: string | undefined },
): string {
  const isThere = (name: string | undefined): name is string => choices.some((each) => each.name === name);
  if (isThere(chosen) || choices.length === 0) return chosen;
  return isThere(asked) ? asked : (choices[0]?.name ?? "");
}
