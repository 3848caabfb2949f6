/** A pattern in which `*` stands for any characters: its literal parts, between the asterisks. */
export type Glob = readonly string[];

export function toGlob(pattern: string): Glob {
  return pattern.split("*");
}

/**
 * Whether a pattern matches a whole text. No pattern makes it slow: the first place of each part is the best one, because an
 * earlier place leaves more of the text to the parts that follow. So no place is tried twice.
 */
export function isMatch(glob: Glob, text: string): boolean {
  const last = glob.length - 1;
  const head = glob[0] ?? "";
  const tail = glob[last] ?? "";
  if (last === 0) return text === head;
  if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false;
  const end = text.length - tail.length;
  let from = head.length;
  for (let index = 1; index < last; index += 1) {
    const part = glob[index] ?? "";
    const at = text.indexOf(part, from);
    if (at === -1 || at + part.length > end) return false;
    from = at + part.length;
  }
  return true;
}
