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
      const value = this.#env[name] ?? (name === "userHome" ? this.#env["HOME"] : undefined) ?? instead;
      if (value === undefined) this.#faults.add(missing(name));
      return value ?? "";
    });
    const rest = /\$\{([^}]{0,40})/.exec(text.replace(VARIABLE, ""))?.[1];
    if (rest !== undefined) this.#faults.add(unknown(rest));
    return filled;
  }
}

/** Variables that only an editor has, since they depend on what is open in it. */
const OF_EDITORS: ReadonlySet<string> = new Set([
  "workspaceFolder",
  "workspaceFolderBasename",
  "workspaceRoot",
  "pathSeparator",
]);

function missing(name: string): string {
  return OF_EDITORS.has(name)
    ? `\${${name}} is known to editors only; write the path itself, or set a variable of this name`
    : `the variable ${name} is not set`;
}

function unknown(written: string): string {
  return written.startsWith("input:")
    ? `\${${written}} is a value that an editor asks for; put it into a variable of the environment, and write \${NAME} instead`
    : `\${${written}} is not known: only \${NAME} and \${NAME:-default} are`;
}
