/** `${NAME}`, `${env:NAME}` and `${NAME:-what else}`, as the files of MCP clients have them. */
const VARIABLE = /\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** Puts variables of the environment into texts of a file, and gathers what is wrong with them. */
export class Expansion {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #faults = new Set<string>();

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** Each names what it is about; none repeats a value. */
  get faults(): readonly string[] {
    return [...this.#faults];
  }

  fill(text: string): string {
    const filled = text.replace(VARIABLE, (_written, name: string, instead: string | undefined) => {
      const value = this.#env[name] ?? instead;
      if (value === undefined) this.#faults.add(`the variable ${name} is not set`);
      return value ?? "";
    });
    const rest = /\$\{([^}]{0,40})/.exec(text.replace(VARIABLE, ""))?.[1];
    if (rest !== undefined) this.#faults.add(`\${${rest}} is not known: only \${NAME} and \${NAME:-default} are`);
    return filled;
  }
}
