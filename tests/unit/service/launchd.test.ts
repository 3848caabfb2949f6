import { describe, expect, test } from "bun:test";
import { launchdPlan } from "../../../src/service/launchd.ts";
import { placesOf } from "../../../src/service/places.ts";
import type { Named, ServiceSpec } from "../../../src/service/service-spec.ts";
import { loadWorkerSettings } from "../../../src/worker/args.ts";
import { KIND_NAMES } from "../../../src/worker/kinds.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { HOSTILE_WORDS } from "./hostile-words.ts";

// No Mac runs these files here. Python's plistlib reads them, which follows Apple's format.

const MACHINE = { platform: "darwin", env: {}, home: "/Users/ann b", user: "ann", uid: 501 } as const;
const SPEC: ServiceSpec = {
  name: "moorage-worker",
  scope: "user",
  words: ["/Users/ann b/bun", ...HOSTILE_WORDS],
  directory: undefined,
  runAs: undefined,
  drainS: 60,
  environment: HOSTILE_WORDS.map((word, at): Named => [`V${at}`, word]),
};

function planOf(change: Partial<ServiceSpec> = {}, settings: readonly Named[] = []) {
  const spec = { ...SPEC, ...change };
  return launchdPlan(spec, settings, placesOf(spec.name, spec.scope, "launchd", MACHINE), MACHINE);
}

async function readPlist(text: string): Promise<Record<string, unknown>> {
  const script = "import json,plistlib,sys; json.dump(plistlib.loads(sys.stdin.buffer.read()), sys.stdout)";
  const child = Bun.spawn(["python3", "-c", script], { stdin: new Blob([text]), stdout: "pipe" });
  return (await child.stdout.json()) as Record<string, unknown>; // plistlib returns a dictionary for a <dict>.
}

describe.skipIf(lacks("property lists", PROGRAMS.python))("the job of a worker for launchd", () => {
  test("keeps every word, and every variable", async () => {
    const job = await readPlist(planOf().files[1]?.text ?? "");
    expect(job["ProgramArguments"]).toEqual([...SPEC.words]);
    expect(job["EnvironmentVariables"]).toEqual(Object.fromEntries(SPEC.environment));
  });

  test("is started at once and again, gets the time to drain, and more than 256 files", async () => {
    expect(await readPlist(planOf().files[1]?.text ?? "")).toMatchObject({
      Label: "moorage-worker",
      RunAtLoad: true,
      KeepAlive: true,
      ExitTimeOut: 70,
      SoftResourceLimits: { NumberOfFiles: 65_536 },
      Umask: 0o077,
    });
  });

  test("of the machine runs as a user, who owns its settings", async () => {
    const plan = planOf({ scope: "system", runAs: "ann" });
    expect(plan.files[1]?.path).toBe("/Library/LaunchDaemons/moorage-worker.plist");
    expect((await readPlist(plan.files[1]?.text ?? ""))["UserName"]).toBe("ann");
    const lines = plan.start.map(({ words }) => words.join(" "));
    expect(lines).toContain("chown -R ann /Library/Application Support/moorage/moorage-worker");
    expect(lines.at(-1)).toBe("launchctl bootstrap system /Library/LaunchDaemons/moorage-worker.plist");
  });
});

describe("the settings of a service that reads a file", () => {
  const names = ["CLIENT_NAME", "MCP_COMMAND"] as const;

  test.each(HOSTILE_WORDS)("keep the value %j", (word) => {
    const [file] = planOf({}, [
      ["SERVER_URL", "https://h.example"],
      ...names.map((name): Named => [name, `x${word}x`]),
    ]).files;
    expect(file?.access).toBe("private");
    const loaded = loadWorkerSettings({
      argv: ["mcp", "--config", "/settings.yaml"],
      env: {},
      readFile: () => file?.text ?? "",
      version: "1",
      knownKinds: KIND_NAMES,
      hostname: "h",
      isTerminal: false,
    });
    expect(loaded).toMatchObject({ kind: "ready", config: { name: `x${word}x`, mcpCommand: `x${word}x` } });
  });
});

test("a word that XML cannot contain is refused", () => {
  expect(() => planOf({ words: ["/bin/a\u0001"] })).toThrow(RangeError);
});
