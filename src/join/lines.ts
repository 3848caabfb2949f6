// This file imports nothing, so that the dashboard's modules can load it in a browser.

/** The kinds of worker, by their words on the command line. */
export const JOIN_KINDS = ["llm", "asr", "mcp"] as const;

/** What the machine runs that a line adds to a server. */
export type JoinKind = (typeof JOIN_KINDS)[number];

/** One command that adds a worker to a server, as people paste it. */
export interface JoinLine {
  /** Where the command works. `any`: in each system's usual shell, cmd included. */
  readonly system: "any" | "linux" | "macos" | "windows";
  /** What the line needs or uses, for people: `With Node`. */
  readonly label: string;
  /** The shell whose rules the text follows. */
  readonly shell: "sh" | "powershell";
  readonly text: string;
}

export interface JoinLineOptions {
  /** The origin at which the machine reaches the server: `https://moorage.example.com`. */
  readonly origin: string;
  /** The server's version, which the worker gets, too. */
  readonly version: string;
  readonly kind: JoinKind;
  /** Further words for the worker, such as `--backend` and a URL. Each becomes one word, whatever is in it. */
  readonly args: readonly string[];
  /** The join token. Undefined: the line names the variable of a client key instead. */
  readonly join: string | undefined;
  /** Whether the server lets workers in without a key, so that the line contains none. Default: false. */
  readonly isOpen?: boolean;
}

/** What stands for the client key in a line without a join token. */
export const KEY_PLACEHOLDER = "your-client-key";

/**
 * Returns the commands that add a worker, best first for each system: those whose `system` is it or `any`. Control
 * characters are left out of words, because a terminal would act on them as they are pasted.
 */
export function workerLines(options: JoinLineOptions): readonly JoinLine[] {
  const { origin, version, kind, args, join, isOpen = false } = options;
  const tarball = `${origin}/join/moorage-${version}.tgz`;
  const token = join === undefined ? [] : ["--join", join];
  // The scripts know the server that they came from.
  const short = ["worker", kind, ...token, ...args].map(pasteable);
  const npx = ["npx", "-y", tarball, "worker", kind, "--server", origin, ...token, ...args].map(pasteable);
  const needsKey = join === undefined && !isOpen;
  const assign = needsKey ? `CLIENT_KEY=${KEY_PLACEHOLDER} ` : "";
  const setKey = needsKey ? `$env:CLIENT_KEY='${KEY_PLACEHOLDER}'; ` : "";

  const script = `curl -fsSL ${shWord(`${origin}/join.sh`)} | ${assign}sh -s -- ${short.map(shWord).join(" ")}`;
  const block = `& ([scriptblock]::Create((irm ${powershellWord(`${origin}/join.ps1`)})))`;
  const windows: JoinLine = {
    system: "windows",
    label: "PowerShell, with Node or Bun",
    shell: "powershell",
    text: `${setKey}${block} ${short.map(powershellWord).join(" ")}`,
  };
  const byNpx = `${assign}${npx.map(shWord).join(" ")}`;
  // PowerShell 5 loses quotes on the way to npx, so words that need them go through the script.
  const forAll: readonly JoinLine[] =
    !needsKey && npx.every(isPlain)
      ? [{ system: "any", label: "With Node", shell: "sh", text: byNpx }]
      : [
          { system: "linux", label: "With Node", shell: "sh", text: byNpx },
          { system: "macos", label: "With Node", shell: "sh", text: byNpx },
        ];
  return [
    // Windows often forbids the script that is called npx there, but not this one.
    windows,
    ...forAll,
    { system: "linux", label: "With Node or Bun", shell: "sh", text: script },
    { system: "macos", label: "With Node or Bun", shell: "sh", text: script },
  ];
}

/** Returns text as one word of a POSIX shell, or of zsh. */
export function shWord(text: string): string {
  return /^[\w./:@%+-][\w./:@%+=-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Returns text as one argument of a PowerShell command. It takes typographic single quotes for plain ones. */
export function powershellWord(text: string): string {
  return isPlain(text) ? text : `'${text.replace(/['\u2018-\u201b]/g, "$&$&")}'`;
}

/**
 * Whether text means itself, as one word, in sh, cmd and PowerShell, which splits a word with one leading dash at a dot or a
 * colon.
 */
function isPlain(text: string): boolean {
  return /^(?:--)?[\w/][\w./:=-]*$/.test(text) || text === "-y";
}

function pasteable(word: string): string {
  return word.replace(/\p{Cc}/gu, "");
}
