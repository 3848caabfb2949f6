import { groupOf } from "../pool/alias.ts";
import { type Glob, isMatch, toGlob } from "../system/globs.ts";

/** The most patterns of one key. */
export const MAX_GLOBS = 100;

/** How many answers are kept before all of them are forgotten. Few keys ask for more different names. */
const MAX_ANSWERS = 256;

/**
 * Compiles patterns of model names, in which `*` stands for any characters. Returns a function that tells whether some
 * pattern matches a name. No pattern makes it slow: see `isMatch`.
 *
 * Models that may stand in for each other count as one, because a request for one of them may be served by another:
 * `llama3:8b` and `llama3:8b-*` both match `llama3:8b`, `llama3:8b-instruct-q4_K_M` and `llama3:8b-text`.
 */
export function compileGlobs(globs: readonly string[]): (name: string) => boolean {
  const names = new Set<string>();
  const groups = new Set<string>();
  const patterns: Glob[] = [];
  for (const glob of globs) {
    const group = groupOf(glob);
    if (glob.includes("*")) patterns.push(toGlob(glob));
    else names.add(glob);
    if (!group.includes("*")) groups.add(group);
  }
  const judge = (name: string): boolean => {
    if (names.has(name) || patterns.some((pattern) => isMatch(pattern, name))) return true;
    const group = groupOf(name);
    return groups.has(group) || patterns.some((pattern) => isMatch(pattern, group));
  };
  const answers = new Map<string, boolean>();
  return (name) => {
    const known = answers.get(name);
    if (known !== undefined) return known;
    if (answers.size >= MAX_ANSWERS) answers.clear();
    const answer = judge(name);
    answers.set(name, answer);
    return answer;
  };
}
