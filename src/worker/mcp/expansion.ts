/**
 * `${NAME}`, `${env:NAME}` and `${NAME:-default}`, as in the files of MCP clients, and `${input:id}`, a value that an editor
 * asks its user for.
 */
const VARIABLE = /\$\{(?:input:([^{}]{1,100})|(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?)\}/g;

/** Returns the names of the variables that a text refers to. */
export function variablesIn(text: string): readonly string[] {
  return Array.from(text.matchAll(VARIABLE), ([, input, name]) => name ?? inputVariable(input ?? ""));
}

/** Returns the variable that stands for an editor's input: GITHUB_TOKEN for `github-token`. */
function inputVariable(id: string): string {
  const name = id
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[^A-Za-z0-9]+/g, "_")
    .toUpperCase();
  return /^[A-Z_]/.test(name) ? name : `INPUT_${name}`;
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
    const filled = text.replace(VARIABLE, (_written, input?: string, name?: string, instead?: string) => {
      const value = input === undefined ? this.#valueOf(name ?? "", instead) : this.#env[inputVariable(input)];
      if (value === undefined) this.#faults.add(input === undefined ? missing(name ?? "") : notAsked(input));
      return value ?? "";
    });
    const rest = /\$\{([^}]{0,40})/.exec(text.replace(VARIABLE, ""))?.[1];
    if (rest !== undefined) this.#faults.add(`\${${rest}} is not known: only \${NAME} and \${NAME:-default} are`);
    return filled;
  }

  #valueOf(name: string, instead: string | undefined): string | undefined {
    return this.#env[name] ?? (name === "userHome" ? this.#env["HOME"] : undefined) ?? instead;
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

function notAsked(input: string): string {
  return `\${input:${input}} is a value that an editor asks for; set the variable ${inputVariable(input)} instead`;
}
