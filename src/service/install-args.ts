import { nearest } from "../settings/nearest.ts";
import { isServiceName, type Scope } from "./service-spec.ts";
import type { ServiceVerb } from "./service-verb.ts";

export interface InstallRequest {
  readonly verb: ServiceVerb;
  readonly name: string;
  /** Undefined: as the system and the user have it. */
  readonly scope: Scope | undefined;
  readonly runAs: string | undefined;
  readonly isDry: boolean;
  /** The words for the worker itself; empty unless `verb` is `install`. */
  readonly rest: readonly string[];
}

export type InstallReading =
  | { readonly kind: "request"; readonly request: InstallRequest }
  | { readonly kind: "help" }
  | { readonly kind: "fault"; readonly text: string };

/** The service's name unless one is given. A second worker on a machine needs another one. */
export const USUAL_NAME = "moorage-worker";

const SWITCHES = ["user", "system", "dry-run", "help"] as const;
const VALUES = ["service", "run-as"] as const;

/** Takes the flags about the service out of a command line, which begins after the verb. The others are the worker's. */
export function readInstallArgs(verb: ServiceVerb, argv: readonly string[]): InstallReading {
  const switches = new Set<string>();
  const values = new Map<string, string>();
  const rest: string[] = [];
  const words = argv.values();
  for (const word of words) {
    const [flag = "", inline] = splitFlag(word);
    if (word === "-h" || isOneOf(SWITCHES, flag)) {
      if (inline !== undefined) return fault(`--${flag} takes no value.`);
      switches.add(word === "-h" ? "help" : flag);
    } else if (isOneOf(VALUES, flag)) {
      const value = inline ?? words.next().value;
      if (value === undefined || value === "" || (inline === undefined && value.startsWith("--")))
        return fault(`--${flag} needs a value.`);
      values.set(flag, value);
    } else rest.push(word);
  }
  if (switches.has("help")) return { kind: "help" };
  if (switches.has("user") && switches.has("system")) return fault("Give --user or --system, not both.");
  const name = values.get("service") ?? USUAL_NAME;
  if (!isServiceName(name))
    return fault("--service takes a name of letters, digits, dots, dashes and underscores, such as moorage-speech.");
  const runAs = values.get("run-as");
  if (runAs !== undefined && !/^[A-Za-z_][A-Za-z0-9_.-]{0,63}\$?$/.test(runAs))
    return fault("--run-as takes the name of a user of this machine.");
  // What follows an unknown flag may be a secret, so only the flag's place is told.
  if (verb !== "install" && rest.length > 0) return fault(strange(verb, rest[0] ?? ""));
  const scope = switches.has("system") ? "system" : switches.has("user") ? "user" : undefined;
  return {
    kind: "request",
    request: { verb, name, scope, runAs, isDry: switches.has("dry-run"), rest },
  };
}

function splitFlag(word: string): readonly [flag?: string, value?: string] {
  const found = /^--([a-z-]+)(?:=(.*))?$/s.exec(word);
  return found ? [found[1] ?? "", found[2]] : [];
}

function isOneOf<T extends string>(all: readonly T[], word: string): word is T {
  return all.some((each) => each === word);
}

function strange(verb: ServiceVerb, word: string): string {
  const near = nearest(word.replace(/^-+/, ""), [...SWITCHES, ...VALUES]);
  return `moorage worker ${verb} takes --service, --user, --system and --dry-run only${near ? `; did you mean --${near}?` : "."}`;
}

function fault(text: string): InstallReading {
  return { kind: "fault", text };
}
