/** An attribute whose name JSX cannot spell: `{...bind("x-on:submit.prevent", "send()")}`. */
export function bind(name: string, expression: string): Readonly<Record<string, string>> {
  return { [name]: expression };
}
