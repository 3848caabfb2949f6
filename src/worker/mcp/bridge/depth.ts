/** The most levels of nesting in a message; no MCP server needs a tenth of it. */
const MAX_DEPTH = 1000;

/**
 * Returns whether parsed JSON is nested too deeply to be written again: Bun's `JSON.parse` accepts 200,000 levels, while its
 * `JSON.stringify` throws at 100,000. It walks without recursion for the same reason.
 */
export function isTooDeep(value: unknown): boolean {
  let level: object[] = isObject(value) ? [value] : [];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true;
    const next: object[] = [];
    for (const each of level) for (const member of Object.values(each)) if (isObject(member)) next.push(member);
    level = next;
  }
  return false;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
