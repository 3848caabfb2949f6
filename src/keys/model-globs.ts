import { groupOf } from "../pool/alias.ts";

/** The most patterns of one key. */
export const MAX_GLOBS = 100;

/** How many answers are kept before all of them are forgotten. Few keys ask for more different names. */
const MAX_ANSWERS = 256;

/** The literal parts of a pattern, between its asterisks. */
type Parts = readonly string[];

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
  const patterns: Parts[] = [];
  for (const glob of globs) {
    const group = groupOf(glob);
    if (glob.includes("*")) patterns.push(glob.split("*"));
    else names.add(glob);
    if (!group.includes("*")) groups.add(group);
  }
  const judge = (name: string): boolean => {
    if (names.has(name) || patterns.some((parts) => isMatch(parts, name))) return true;
    const group = groupOf(name);
    return groups.has(group) || patterns.some((parts) => isMatch(parts, group));
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

/**
 * Whether a text consists of the parts, in this order, with anything between them. The first place of each part is the best
 * one, because an earlier place leaves more of the text to the parts that follow. So no place is tried twice.
 */
function isMatch(parts: Parts, text: string): boolean {
  const last = parts.length - 1;
  const head = parts[0] ?? "";
  const tail = parts[last] ?? "";
  if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
  const end = text.length - tail.length;
  let from = head.length;
  for (let index = 1; index < last; index += 1) {
    const part = parts[index] ?? "";
    const at = text.indexOf(part, from);
    if (at === -1 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}
