/** `${NAME}`, `${env:NAME}` and `${NAME:-default}`, as in the files of MCP clients. */
const VARIABLE = /\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g;

/** Returns the names of the variables that a text refers to. */
export function variablesIn(text: string): readonly string[] {
  // The pattern's first group always takes part in a match.
  return Array.from(text.matchAll(VARIABLE), ([, name]) => name ?? "");
}

/** Expands environment variables in the texts of a file, and collects the faults. */
export class Expansion {
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #faults = new Set<string>();

  constructor(env: Readonly<Record<string, string | undefined>>) {
    this.#env = env;
  }

  /** The faults found so far. Each names its variable; none repeats a value. */
  get faults(): readonly string[] {
    return [...this.#faults];
  }

  /** Returns the text with its variables expanded. */
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
