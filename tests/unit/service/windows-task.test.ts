import { describe, expect, test } from "bun:test";
import { placesOf } from "../../../src/service/places.ts";
import type { ServiceSpec } from "../../../src/service/service-spec.ts";
import { windowsPlan, windowsWord } from "../../../src/service/windows-task.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { HOSTILE_WORDS } from "./hostile-words.ts";

// No Windows runs these files here. Their form is compared with [MS-TSCH] 2.5, and their words are read as Windows reads them.

const MACHINE = {
  platform: "win32",
  env: { LOCALAPPDATA: "C:\\Users\\Ann B\\AppData\\Local" },
  home: "C:\\Users\\Ann B",
  user: "Ann B",
  uid: undefined,
} as const;
const SPEC: ServiceSpec = {
  name: "moorage-worker",
  scope: "user",
  words: ["C:\\Users\\Ann B\\bun.exe", "C:\\Users\\Ann & B\\current.js", "worker", "llm"],
  directory: undefined,
  runAs: undefined,
  drainS: 60,
  environment: [],
};

function planOf(change: Partial<ServiceSpec> = {}) {
  return windowsPlan(
    { ...SPEC, ...change },
    [["CLIENT_KEY", "k-1"]],
    placesOf(SPEC.name, "user", "windows", MACHINE),
    MACHINE.user,
  );
}

/** Reads a command line as CommandLineToArgvW does, for the words after the program. */
function readCommandLine(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let isQuoted = false;
  for (let at = 0; at < line.length; ) {
    const slashes = /^\\*/.exec(line.slice(at))?.[0].length ?? 0;
    const next = line[at + slashes];
    if (slashes > 0) {
      word = (word ?? "") + "\\".repeat(next === '"' ? Math.floor(slashes / 2) : slashes);
      at += slashes;
      if (next === '"' && slashes % 2 === 1) {
        word += '"';
        at += 1;
      }
    } else if (next === '"') {
      word ??= "";
      isQuoted = !isQuoted;
      at += 1;
    } else if ((next === " " || next === "\t") && !isQuoted) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
    } else {
      word = (word ?? "") + next;
      at += 1;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Reads a task as nested names with their texts. */
async function readTask(text: string): Promise<unknown> {
  const script = `
import json, sys, xml.etree.ElementTree as tree
def read(node):
    name = node.tag.split("}")[1]
    return [name, [read(each) for each in node] or node.text]
json.dump(read(tree.fromstring(sys.stdin.buffer.read())), sys.stdout)`;
  const bytes = Buffer.from(`\ufeff${text}`, "utf16le");
  const child = Bun.spawn(["python3", "-c", script], { stdin: bytes, stdout: "pipe" });
  return child.stdout.json();
}

type Node = readonly [name: string, content: readonly Node[] | string];

function find(node: Node, path: string): Node | undefined {
  const [first, ...rest] = path.split("/");
  const found = typeof node[1] === "string" ? undefined : node[1].find(([name]) => name === first);
  return found && rest.length > 0 ? find(found, rest.join("/")) : found;
}

test.each(HOSTILE_WORDS)("Windows reads the word %j as it was", (word) => {
  expect(readCommandLine([word, "x", `${word}\\`, word].map(windowsWord).join(" "))).toEqual([
    word,
    "x",
    `${word}\\`,
    word,
  ]);
});

test.each(["C:\\%TEMP%\\x", "C:\\$(Arg0)"])(
  "the word %j, which the Task Scheduler would replace, is refused",
  (word) => {
    expect(() => planOf({ words: ["bun.exe", word] })).toThrow(RangeError);
  },
);

describe.skipIf(lacks("task definitions", PROGRAMS.python))("the scheduled task of a worker", () => {
  test("has its elements in the order of the schema", async () => {
    const task = (await readTask(planOf().files[1]?.text ?? "")) as Node; // `read` makes this form.
    const names = (path: string): readonly string[] => {
      const content = (path === "" ? task : find(task, path))?.[1] ?? [];
      return typeof content === "string" ? [] : content.map(([name]) => name);
    };
    expect(names("")).toEqual(["RegistrationInfo", "Triggers", "Principals", "Settings", "Actions"]);
    // The triggers' base type is a sequence; their extensions follow it.
    const base = ["Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit"];
    for (const trigger of ["BootTrigger", "TimeTrigger"]) {
      const own = names(`Triggers/${trigger}`);
      expect(own.length).toBeGreaterThan(0);
      expect(own).toEqual(base.filter((name) => own.includes(name)));
    }
    expect(names("Triggers/TimeTrigger/Repetition")).toEqual(["Interval", "StopAtDurationEnd"]);
    expect(names("Actions/Exec")).toEqual(["Command", "Arguments", "WorkingDirectory"]);
  });

  test("starts the program with its words, as its user, without a limit of time", async () => {
    const task = (await readTask(planOf().files[1]?.text ?? "")) as Node;
    const textAt = (path: string) => find(task, path)?.[1];
    expect(textAt("Actions/Exec/Command")).toBe(SPEC.words[0]);
    expect(readCommandLine(String(textAt("Actions/Exec/Arguments")))).toEqual(SPEC.words.slice(1));
    expect(textAt("Principals/Principal/UserId")).toBe("Ann B");
    expect(textAt("Principals/Principal/LogonType")).toBe("S4U");
    expect(textAt("Settings/ExecutionTimeLimit")).toBe("PT0S");
    expect(textAt("Settings/MultipleInstancesPolicy")).toBe("IgnoreNew");
  });

  test("has no key in it", () => {
    const [settings, task] = planOf().files;
    expect(task?.text).not.toContain("k-1");
    expect(settings).toMatchObject({
      access: "private",
      path: "C:\\Users\\Ann B\\AppData\\Local\\moorage\\moorage-worker\\settings.yaml",
    });
  });
});
