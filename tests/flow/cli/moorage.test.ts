import { expect, test } from "bun:test";
import { join } from "node:path";
import manifest from "../../../package.json" with { type: "json" };

const ROOT = join(import.meta.dir, "../../..");

async function moorage(...args: string[]) {
  const child = Bun.spawn([process.execPath, "src/cli/main.ts", ...args], {
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

test.each([
  ["serve", "moorage"],
  ["worker", "moorage worker"],
  ["doctor", "moorage doctor"],
  ["demo", "moorage demo"],
])("moorage %s is the program that its help describes", async (command, name) => {
  const { out, err, code } = await moorage(command, "--help");
  expect(out).toStartWith(`${name} ${manifest.version}: `);
  expect(out).toContain(`Usage: moorage ${command}`);
  expect({ err, code }).toEqual({ err: "", code: 0 });
});

test("moorage help lists the programs", async () => {
  const { out, code } = await moorage("help");
  expect(out.match(/^ {2}[\w-]+/gm)?.map((name) => name.trim())).toEqual([
    "demo",
    "serve",
    "worker",
    "doctor",
    "keys",
    "join-token",
    "tenants",
    "usage",
    "audit",
    "mcp",
    "backup",
  ]);
  expect(code).toBe(0);
});

test("moorage backup says how it is called, and exits with the code of invalid settings without a file", async () => {
  expect(await moorage("backup", "--help")).toMatchObject({
    code: 0,
    out: expect.stringContaining("Usage: moorage backup <file>"),
  });
  expect(await moorage("backup")).toMatchObject({
    code: 78,
    out: "",
    err: expect.stringContaining("must be the file"),
  });
});

test.each([
  [["keys", "--help"], "keys <action> [flags]"],
  [["keys", "create", "--help"], "keys create <name> [flags]"],
  [["usage", "--help"], "usage [flags]"],
  [["worker", "install", "--help"], "worker install llm|asr|mcp"],
])("moorage %j describes itself in the words that started it", async (words, usage) => {
  const child = Bun.spawn([process.execPath, "src/cli/main.ts", ...words], {
    cwd: ROOT,
    env: { NO_COLOR: "1", MOORAGE_LAUNCHED_AS: "npx -y moorage@1" },
    stdin: "ignore",
    stderr: "ignore",
  });
  expect(await child.stdout.text()).toContain(`Usage: npx -y moorage@1 ${usage}`);
});

test("moorage demo refuses an argument, and exits with the code of invalid settings", async () => {
  const { out, err, code } = await moorage("demo", "--prot=1");
  expect(err).toContain("Run 'moorage demo --help'");
  expect({ out, code }).toEqual({ out: "", code: 78 });
});

test("an unknown command exits with the code of invalid settings and says what there is", async () => {
  const { out, err, code } = await moorage("srve");
  expect(err).toContain("Did you mean serve?");
  expect({ out, code }).toEqual({ out: "", code: 78 });
});
