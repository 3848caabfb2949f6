/** Makes an attribute whose name JSX does not allow: `{...bind("x-on:submit.prevent", "send()")}`. */
export function bind(name: string, expression: string): Readonly<Record<string, string>> {
  return { [name]: expression };
}
