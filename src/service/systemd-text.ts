import type { Named } from "./service-spec.ts";

// How systemd reads text: `man systemd.syntax`, `systemd.service` and `systemd.exec`.

/** Returns the words as a command line of a unit. */
export function execLine([program, ...rest]: readonly [string, ...string[]]): string {
  // Variables are replaced in arguments, and not in the path of the program.
  return [quoted(program), ...rest.map((word) => quoted(word.replaceAll("$", "$$$$")))].join(" ");
}

function quoted(word: string): string {
  if (/^[\w./:@=+,-]+$/.test(word)) return word;
  const escaped = escapeSpecifiers(word).replace(/["\\]/g, "\\$&").replace(CONTROL, toEscape);
  return `"${escaped}"`;
}

/** Control characters would end the line, or are not allowed in a unit. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0001-\u001f\u007f]/g;

function toEscape(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

/** Returns a path as the value of WorkingDirectory=, which has no quoting. */
export function plainPath(path: string): string {
  return escapeSpecifiers(path);
}

/** Returns a path as the value of EnvironmentFile=, which is a pattern without quoting. */
export function patternPath(path: string): string {
  return escapeSpecifiers(path.replace(/[*?[\]\\]/g, "\\$&"));
}

/** Returns text as a part of a unit in which `%` begins a specifier. */
export function escapeSpecifiers(text: string): string {
  return text.replaceAll("%", "%%");
}

/** Returns the text of an EnvironmentFile=. Nothing in its values is replaced. */
export function environmentFile(variables: readonly Named[]): string {
  return variables.map(([name, value]) => `${name}="${value.replace(/["\\$`]/g, "\\$&")}"\n`).join("");
}
