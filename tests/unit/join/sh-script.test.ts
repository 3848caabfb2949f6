import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shScript } from "../../../src/join/sh-script.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ORIGIN = "https://moorage.example.com";
const TARBALL = `${ORIGIN}/join/moorage-1.2.3.tgz`;
const SCRIPT = shScript({ origin: ORIGIN, version: "1.2.3" });

const directory = temporaryDirectory();
afterAll(() => directory.remove());

/** Makes a directory with programs of these names; `node` is of the version that it is given. */
function machine(name: string, programs: Readonly<Record<string, string>>): string {
  const path = join(directory.path, name);
  mkdirSync(path, { recursive: true });
  for (const [program, text] of Object.entries(programs)) {
    writeFileSync(join(path, program), `#!/bin/sh\n${text}\n`);
    chmodSync(join(path, program), 0o755);
  }
  return path;
}

const SAYS = `printf '%s\\0' "\${0##*/}" "$@"`;
const NODE = `case $1 in --version) echo v20.0.0 ;; *) exit 0 ;; esac`;
const OLD_NODE = `case $1 in --version) echo v12.22.9 ;; *) exit 1 ;; esac`;

interface Run {
  readonly words: readonly string[];
  readonly said: string;
  readonly code: number;
}

/** Runs the script as `curl … | sh -s -- words` does. */
function run(shell: readonly string[], path: string, words: readonly string[], script = SCRIPT): Run {
  const [program = "", ...more] = shell;
  const { stdout, stderr, exitCode } = Bun.spawnSync([Bun.which(program) ?? program, ...more, "-s", "--", ...words], {
    env: { PATH: path, HOME: "/nowhere" },
    stdin: Buffer.from(script),
  });
  return { words: stdout.toString().split("\0").slice(0, -1), said: stderr.toString(), code: exitCode };
}

const lacksShells = lacks("the script in busybox and zsh", PROGRAMS.busybox, PROGRAMS.zsh);
const SHELLS: readonly (readonly string[])[] = [
  ["sh"],
  ["dash"],
  ["bash"],
  ["bash", "--posix"],
  ...(lacksShells ? [] : [["zsh"], ["busybox", "ash"]]),
];

const both = machine("both", { node: NODE, npx: SAYS, bun: SAYS, bunx: SAYS });

describe.each(SHELLS)("the script for %s", (...shell) => {
  test("runs the server's own version by npx, with each word unchanged", () => {
    const words = ["worker", "llm", "--join", "mj_x", "--name", 'it\'s $HOME `id` "q" \\ *', "", "日本語"];
    const { words: got, said, code } = run(shell, both, words);
    expect(said).toBe("");
    expect(code).toBe(0);
    expect(got).toEqual(["npx", "-y", TARBALL, ...words, "--server", ORIGIN]);
  });

  test("leaves the server alone where one is named, and where none is used", () => {
    const named = [
      ["worker", "llm", "--server", "wss://other.example"],
      ["worker", "llm", "--server=wss://other.example"],
      ["worker", "uninstall", "llm"],
      ["worker", "status"],
      ["demo"],
    ];
    for (const words of named) expect(run(shell, both, words).words).toEqual(["npx", "-y", TARBALL, ...words]);
    expect(run(shell, both, ["doctor"]).words).toEqual(["npx", "-y", TARBALL, "doctor", "--server", ORIGIN]);
  });

  test("runs it by Bun where Node is missing, too old or without npx", () => {
    const expected = ["--bun", "-p", TARBALL, "moorage", "worker", "llm", "--server", ORIGIN];
    const machines = [
      machine("bun", { bun: SAYS, bunx: SAYS }),
      machine("old", { node: OLD_NODE, npx: SAYS, bun: SAYS, bunx: SAYS }),
      machine("nonpx", { node: NODE, bunx: SAYS }),
    ];
    for (const path of machines) expect(run(shell, path, ["worker", "llm"]).words).toEqual(["bunx", ...expected]);
    expect(run(shell, machine("only", { bun: SAYS }), ["worker", "llm"]).words).toEqual(["bun", "x", ...expected]);
  });

  test("says what to do where there is neither", () => {
    const none = run(shell, machine("none", {}), ["worker", "llm"]);
    expect(none.code).toBe(1);
    expect(none.said).toContain("This machine has neither.");
    expect(none.said).toContain("https://nodejs.org");
    expect(none.said).toContain("https://bun.com");
    const old = run(shell, machine("older", { node: OLD_NODE, npx: SAYS }), ["worker", "llm"]);
    expect(old.said).toContain("The Node on this machine is v12.22.9");
    expect(old.words).toEqual([]);
    const mac = run(shell, machine("mac", { uname: "echo Darwin" }), ["worker", "llm"]);
    expect(mac.said).toContain("brew install node");
  });

  test("says what it takes where it gets no words", () => {
    const { code, said, words } = run(shell, both, []);
    expect(code).toBe(2);
    expect(said).toContain(`curl -fsSL ${ORIGIN}/join.sh | sh -s -- worker llm`);
    expect(words).toEqual([]);
  });

  test("does nothing where it was cut off", () => {
    const end = SCRIPT.indexOf('main "$@"');
    for (let length = 0; length < end; length += 97)
      expect(run(shell, both, ["worker", "llm"], SCRIPT.slice(0, length)).words).toEqual([]);
  });

  test("ends with the exit code of the program", () => {
    expect(run(shell, machine("fails", { node: NODE, npx: "exit 78" }), ["worker"]).code).toBe(78);
  });
});
