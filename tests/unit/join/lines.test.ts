import { describe, expect, test } from "bun:test";
import { KEY_PLACEHOLDER, powershellWord, shWord, workerLines } from "../../../src/join/lines.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";

const ORIGIN = "https://moorage.example.com";
const TOKEN = "mj_0123456789ab_abcdefghijklmnopqrstuvwxyzABCDEF_123456";
const usual = { origin: ORIGIN, version: "1.2.3", kind: "llm", args: [], join: TOKEN } as const;

/** Words that a shell would change if they were not quoted. */
const HOSTILE = [
  "",
  " ",
  "two words",
  "it's",
  "''",
  'say "hello"',
  "$HOME",
  "$IFS",
  "$(id)",
  "`id`",
  "a;b",
  "a&b",
  "a|b",
  ">file",
  "*",
  "[a-z]?",
  "~",
  "~/models",
  "!history",
  "#comment",
  "back\\slash",
  "\\",
  "{a,b}",
  "=ls",
  "a=~",
  "-n",
  "-Name:value",
  "-a.b",
  "--%",
  "--",
  "@file",
  "%PATH%",
  "^caret",
  "(sub)",
  "日本語 🚢 é",
  "‘curly’ ‚low‛",
  "“double”",
  "\u00a0",
  "name=llama3:8b",
];

/** Runs a command line and returns the words that the program in it gets. */
function wordsOf(shell: readonly string[], line: string): readonly string[] {
  const { stdout, stderr } = Bun.spawnSync([...shell, line], { env: { HOME: "/nowhere", PATH: "/usr/bin:/bin" } });
  expect(stderr.toString()).toBe("");
  return stdout.toString().split("\0").slice(0, -1);
}

const lacksShells = lacks("the lines in busybox and zsh", PROGRAMS.busybox, PROGRAMS.zsh);
const SHELLS = ["sh", "bash", "dash", ...(lacksShells ? [] : ["zsh", "busybox"])];

describe("the lines that add a worker", () => {
  test("are one by npx for every system, and one by script for each", () => {
    expect(workerLines(usual)).toEqual([
      {
        system: "windows",
        label: "PowerShell, with Node or Bun",
        shell: "powershell",
        text: `& ([scriptblock]::Create((irm ${ORIGIN}/join.ps1))) worker llm --join ${TOKEN}`,
      },
      {
        system: "any",
        label: "With Node",
        shell: "sh",
        text: `npx -y ${ORIGIN}/join/moorage-1.2.3.tgz worker llm --server ${ORIGIN} --join ${TOKEN}`,
      },
      {
        system: "linux",
        label: "With Node or Bun",
        shell: "sh",
        text: `curl -fsSL ${ORIGIN}/join.sh | sh -s -- worker llm --join ${TOKEN}`,
      },
      {
        system: "macos",
        label: "With Node or Bun",
        shell: "sh",
        text: `curl -fsSL ${ORIGIN}/join.sh | sh -s -- worker llm --join ${TOKEN}`,
      },
    ]);
  });

  test("name the client key's variable where there are no join tokens", () => {
    const texts = workerLines({ ...usual, join: undefined }).map(({ system, text }) => [system, text]);
    expect(texts).toEqual([
      [
        "windows",
        `$env:CLIENT_KEY='${KEY_PLACEHOLDER}'; & ([scriptblock]::Create((irm ${ORIGIN}/join.ps1))) worker llm`,
      ],
      ["linux", `CLIENT_KEY=${KEY_PLACEHOLDER} npx -y ${ORIGIN}/join/moorage-1.2.3.tgz worker llm --server ${ORIGIN}`],
      ["macos", `CLIENT_KEY=${KEY_PLACEHOLDER} npx -y ${ORIGIN}/join/moorage-1.2.3.tgz worker llm --server ${ORIGIN}`],
      ["linux", `curl -fsSL ${ORIGIN}/join.sh | CLIENT_KEY=${KEY_PLACEHOLDER} sh -s -- worker llm`],
      ["macos", `curl -fsSL ${ORIGIN}/join.sh | CLIENT_KEY=${KEY_PLACEHOLDER} sh -s -- worker llm`],
    ]);
  });

  test("contain no key where workers need none", () => {
    for (const { text } of workerLines({ ...usual, join: undefined, isOpen: true }))
      expect(text).not.toContain("CLIENT_KEY");
  });

  test("leave control characters out of words", () => {
    for (const { text } of workerLines({ ...usual, args: ["--name", "a\u0003\u001b[31m\nb\r\u0085"] })) {
      expect(text).not.toMatch(/\p{Cc}/u);
      expect(text).toContain("'a[31mb'");
    }
  });

  test("are given for npx on Windows only while no word needs quotes", () => {
    const systems = (args: readonly string[]): readonly string[] =>
      workerLines({ ...usual, args }).map(({ system }) => system);
    expect(systems(["--backend", "http://127.0.0.1:1234/v1"])).toContain("any");
    for (const word of HOSTILE.filter((each) => each !== "name=llama3:8b"))
      expect(systems(["--name", word]), word).not.toContain("any");
  });

  test.each(SHELLS)("give %s each word unchanged", (name) => {
    const shell = name === "busybox" ? ["busybox", "ash", "-c"] : [name, "-c"];
    for (const { shell: kind, text } of workerLines({ ...usual, args: HOSTILE })) {
      if (kind !== "sh") continue;
      const asked = text.replace(/^npx -y \S+|^.*\| sh -s --/, `printf '%s\\0'`);
      expect(wordsOf(shell, asked)).toEqual([
        "worker",
        "llm",
        ...(text.startsWith("npx") ? ["--server", ORIGIN] : []),
        "--join",
        TOKEN,
        ...HOSTILE,
      ]);
    }
  });
});

describe("a word of a shell", () => {
  test.each(SHELLS)("is the text itself to %s", (name) => {
    const shell = name === "busybox" ? ["busybox", "ash", "-c"] : [name, "-c"];
    expect(wordsOf(shell, `printf '%s\\0' ${HOSTILE.map(shWord).join(" ")}`)).toEqual(HOSTILE);
  });

  test("is the text itself to PowerShell's rules for quotes", () => {
    for (const text of HOSTILE) expect(asPowershellReads(powershellWord(text)), text).toBe(text);
    // The quotes are needed: PowerShell would split the first two and read the others as more than text.
    for (const text of ["-a.b", "-Name:value", "$HOME", "--%", "@file", "a,b", "a`b", "(x)", "{x}", "“double”"])
      expect(powershellWord(text)).toStartWith("'");
  });
});

test.skipIf(lacks("the lines in PowerShell", PROGRAMS.pwsh))(
  "a word of a shell is the text itself to a real PowerShell",
  () => {
    const line = `& { foreach ($word in $args) { [Console]::Out.Write($word + [char]0) } } ${HOSTILE.map(powershellWord).join(" ")}`;
    expect(wordsOf([Bun.which("pwsh") ?? "", "-NoProfile", "-Command"], line)).toEqual(HOSTILE);
  },
);

/**
 * Reads one argument by the rules in about_Quoting_Rules: a single-quoted string ends at the first quote that is not doubled, and
 * five characters are such quotes. Anything else is taken only if it contains no character with a meaning.
 */
function asPowershellReads(word: string): string {
  if (!word.startsWith("'")) {
    if (!/^(?:--)?[\w/][\w./:=-]*$/.test(word)) throw new Error(`not plain: ${word}`);
    return word;
  }
  const quotes = new Set("'‘’‚‛");
  let text = "";
  for (let at = 1; at < word.length; at += 1) {
    const char = word.charAt(at);
    if (quotes.has(char)) {
      if (at === word.length - 1) return text;
      at += 1;
      if (!quotes.has(word.charAt(at))) throw new Error(`ends too early: ${word}`);
    }
    text += word.charAt(at);
  }
  throw new Error(`does not end: ${word}`);
}
