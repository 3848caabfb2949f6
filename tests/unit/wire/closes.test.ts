import { expect, test } from "bun:test";
import { CLOSES, type CloseName, type CloseRule, closeName, closeRule, closeWith } from "../../../src/wire/closes.ts";

const DOC = await Bun.file(new URL("../../../docs/protocol.md", import.meta.url)).text();
const rows = (DOC.split("## Close codes\n")[1] ?? "")
  .split("\n## ")[0]
  ?.split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim().replace(/^`|`$/g, "")),
  );

// Object.keys types the table's names as plain text.
const names = Object.keys(CLOSES) as CloseName[];

test("docs/protocol.md lists every close of the table once, and no other", () => {
  expect(rows?.map(([name]) => name).sort()).toEqual([...names].sort());
});

for (const [name = "", code, reason, sender, redial] of rows ?? []) {
  test(`docs/protocol.md says of ${name} what the table says`, () => {
    const rule: CloseRule = CLOSES[name as CloseName]; // an unknown name fails here
    const documented = { code: Number(code), reason: reason?.replace(/:? ?…$/, ""), redial: redial?.replace(" ", "_") };
    expect({ code: rule.code, reason: rule.reason, redial: String(rule.redial) }).toEqual({
      code: documented.code,
      reason: documented.reason ?? "",
      redial: documented.redial ?? "",
    });
    expect(sender).not.toBe("");
  });
}

test("a close is recognised by its code and reason, with a detail and without", () => {
  for (const name of names) {
    expect(closeName(CLOSES[name])).toBe(name);
    expect(closeName(closeWith(name, "something, in words"))).toBe(name);
  }
});

test("a close reason identifies nothing without its code", () => {
  expect(closeName({ code: 1012, reason: "unauthorized" })).toBeUndefined();
  expect(closeName({ code: 1008, reason: "unauthorized by a proxy" })).toBe("refused");
  expect(closeName({ code: 4002, reason: "replaced" })).toBeUndefined();
});

test("a refusal with a reason that this version does not know still has a hint", () => {
  expect(closeRule({ code: 1008, reason: "from the future" })?.hint).toContain("versions");
});

test("exactly the closes that make a worker dial slowly have advice for its operator", () => {
  for (const name of names) {
    const { redial, hint }: CloseRule = CLOSES[name];
    expect([name, hint !== undefined]).toEqual([name, redial !== "soon"]);
  }
});

test("no two closes look the same on the wire", () => {
  const frames = names.map((name) => `${CLOSES[name].code} ${CLOSES[name].reason}`);
  expect(new Set(frames).size).toBe(frames.length);
});

test("close codes are written in one file of src", async () => {
  const found: string[] = [];
  for await (const path of new Bun.Glob("src/**/*.{ts,tsx}").scan(".")) {
    if (/\b(?:100[2-9]|101[0-3]|400[01])\b/.test(await Bun.file(path).text())) found.push(path);
  }
  expect(found).toEqual(["src/wire/closes.ts"]);
});
