import { describe, expect, test } from "bun:test";
import { placesOf } from "../../../src/service/places.ts";
import type { ServiceSpec } from "../../../src/service/service-spec.ts";
import { systemdPlan } from "../../../src/service/systemd.ts";
import { environmentFile, execLine, patternPath } from "../../../src/service/systemd-text.ts";
import { parseUnit, read } from "../../support/deploy-files.ts";
import { HOSTILE_WORDS } from "./hostile-words.ts";

// tests/real/systemd.test.ts has a real systemd read what is written here.

const SPEC: ServiceSpec = {
  name: "moorage-worker",
  scope: "user",
  words: ["/home/ann b/bun", "/home/ann b/current.js", "worker", "llm"],
  directory: undefined,
  runAs: undefined,
  drainS: 60,
  environment: [["PATH", "/usr/bin"]],
};
const MACHINE = { platform: "linux", env: {}, home: "/home/ann b", user: "ann", uid: 1000 } as const;

function planOf(change: Partial<ServiceSpec> = {}) {
  const spec = { ...SPEC, ...change };
  return systemdPlan(spec, [["CLIENT_KEY", "k-1"]], placesOf(spec.name, spec.scope, "systemd", MACHINE));
}

/** Reads a command line as `systemd.service` describes it. */
function readExec(line: string): string[] {
  const words: string[] = [];
  for (const [, quoted, plain] of line.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g)) {
    const text = quoted?.replace(/\\x(..)|\\(.)/g, (_all, hex?: string, char?: string) =>
      hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (char ?? ""),
    );
    words.push((text ?? plain ?? "").replaceAll("%%", "%"));
  }
  const [program = "", ...rest] = words;
  return [program, ...rest.map((word) => word.replaceAll("$$", "$"))];
}

describe("the unit of a worker", () => {
  test.each(HOSTILE_WORDS)("keeps the word %j on its command line", (word) => {
    const words = ["/bin/program", word, `/${word}`] as const;
    expect(readExec(execLine([...words]))).toEqual([...words]);
  });

  test.each(HOSTILE_WORDS)("keeps the value %j in its file of variables", (value) => {
    const text = environmentFile([["NAME", value]]);
    const inner = /^NAME="((?:\\.|[^"\\])*)"\n$/s.exec(text)?.[1];
    expect(inner?.replace(/\\(["\\$`])/g, "$1")).toBe(value);
  });

  test("names its file of variables although that is a pattern with specifiers", () => {
    expect(patternPath("/home/a*[b]?%h")).toBe("/home/a\\*\\[b\\]\\?%%h");
  });

  test("has no key in it: keys are in a file that only its owner can read", () => {
    const [settings, unit] = planOf().files;
    expect(unit?.path).toBe("/home/ann b/.config/systemd/user/moorage-worker.service");
    expect(unit?.text).not.toContain("k-1");
    expect(settings).toMatchObject({ path: "/home/ann b/.config/moorage/moorage-worker.env", access: "private" });
    expect(settings?.text).toContain('CLIENT_KEY="k-1"\n');
  });

  test("is started again whatever ends it, except wrong settings, and has the time to drain", () => {
    const unit = parseUnit(planOf().files[1]?.text ?? "");
    expect(unit.get("Restart")).toEqual(["always"]);
    expect(unit.get("RestartPreventExitStatus")).toEqual(["78"]);
    expect(unit.get("TimeoutStopSec")).toEqual(["70"]);
    expect(unit.get("WantedBy")).toEqual(["default.target"]);
  });

  test("of the machine is confined as the one in deploy/systemd", async () => {
    const own = parseUnit(planOf({ scope: "system" }).files[1]?.text ?? "");
    const written = parseUnit(await read("deploy/systemd/moorage-worker.service"));
    const differ = [
      "ExecStart",
      "EnvironmentFile",
      "Environment",
      "RestartSec",
      "WorkingDirectory",
      "StateDirectoryMode",
      "Description",
      "StartLimitIntervalSec",
    ];
    const rest = (unit: typeof own) =>
      [...unit].filter(([key]) => !differ.includes(key)).toSorted(([a], [b]) => (a < b ? -1 : 1));
    expect(rest(own)).toEqual(rest(written));
  });

  test("of the machine that runs as a user leaves that user its files", () => {
    const unit = parseUnit(planOf({ scope: "system", runAs: "ann" }).files[1]?.text ?? "");
    expect(unit.get("User")).toEqual(["ann"]);
    expect(unit.get("DynamicUser")).toBeUndefined();
    expect(unit.get("ProtectHome")).toBeUndefined();
  });
});
