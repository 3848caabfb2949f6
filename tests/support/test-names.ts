import ts from "typescript";

/**
 * Returns the names of the tests and `describe` blocks in a file's source: each by its title alone, and by its title after
 * those of the blocks around it, joined with " > " as `bun test` prints them. Titles are as in the source: `%s` is not
 * filled in, and `…` stands for an expression in a template.
 */
export function testNames(source: string): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node, blocks: readonly string[]): void => {
    const title = titleOf(node);
    const path = title === undefined ? blocks : [...blocks, title];
    if (title !== undefined) for (const start of path.keys()) names.add(path.slice(start).join(" > "));
    ts.forEachChild(node, (child) => visit(child, path));
  };
  visit(ts.createSourceFile("file.test.tsx", source, ts.ScriptTarget.Latest), []);
  return names;
}

/** Returns the title if `node` is a call that defines a test or a block: `test("…", …)`, `describe.skipIf(…)("…", …)`. */
function titleOf(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node) || !["describe", "test"].includes(calledName(node.expression))) return undefined;
  const [title, body] = node.arguments;
  if (!title || !body) return undefined;
  if (ts.isStringLiteralLike(title)) return title.text;
  if (!ts.isTemplateExpression(title)) return undefined;
  return title.head.text + title.templateSpans.map(({ literal }) => `…${literal.text}`).join("");
}

/** Returns the name of the called function: `test` for `test`, `test.only` and `test.each(rows)`. */
function calledName(called: ts.Expression): string {
  if (ts.isIdentifier(called)) return called.text;
  return ts.isCallExpression(called) || ts.isPropertyAccessExpression(called) ? calledName(called.expression) : "";
}
