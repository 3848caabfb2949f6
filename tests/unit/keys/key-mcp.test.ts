import { describe, expect, test } from "bun:test";
import { keyJson } from "../../../src/admin/key-json.ts";
import { toKeyRecord } from "../../../src/keys/key-caller.ts";
import { newEntry, patched } from "../../../src/keys/key-changes.ts";
import { type KeyEntry, parseKeyEntry } from "../../../src/keys/key-entry.ts";
import { toRelayTerms } from "../../../src/keys/key-mcp.ts";
import { readKeyPatch, readKeySpec } from "../../../src/keys/key-spec.ts";
import { readKeysFile } from "../../../src/keys/keys-file.ts";
import { readSharedEntry, sharedText } from "../../../src/keys/shared-entry.ts";

const ALL = {
  relays: ["files", "git-*", "files"],
  tools: ["read_*", "!read_secrets"],
  prompts: [],
  resources: ["file:///docs/*"],
  parallel: 4,
  requests_per_minute: "1k",
};
const SECRET = { hash: "a".repeat(64), hint: "mk_abcd…", madeAt: 1 };

function entryOf(mcp: unknown): KeyEntry {
  const read = readKeySpec({ name: "ann", mcp });
  if (!read.ok) throw new Error(read.message);
  return newEntry("0123456789ab", read.value, SECRET, { now: 1, by: "cli" });
}

function changed(entry: KeyEntry, mcp: unknown): KeyEntry {
  const read = readKeyPatch({ mcp }, "client");
  if (!read.ok) throw new Error(read.message);
  return patched(entry, read.value);
}

describe("what a key may do at relays", () => {
  test("is read from a request, kept, shared and shown again", () => {
    const entry = entryOf(ALL);
    const mcp = { ...ALL, relays: ["files", "git-*"], requests_per_minute: 1000 };
    expect(keyJson(entry, [], 1).mcp).toEqual(mcp);
    expect(parseKeyEntry(JSON.parse(JSON.stringify(entry)))).toEqual(entry);
    expect(readSharedEntry(entry.id, sharedText(entry))).toEqual(entry);
  });

  test("is the whole of it for a key that says nothing, or takes nothing away", () => {
    for (const mcp of [undefined, null, {}, { tools: null }]) {
      expect(entryOf(mcp).mcp).toBeUndefined();
      expect(toKeyRecord(entryOf(mcp), 0).relays).toBeUndefined();
    }
  });

  test("changes member by member, and null takes a member or all of it away", () => {
    const entry = entryOf({ tools: ["read_*"], parallel: 2 });
    expect(changed(entry, { parallel: null, prompts: [] }).mcp).toEqual({ tools: ["read_*"], prompts: [] });
    expect(changed(entry, null).mcp).toBeUndefined();
    expect(changed(entry, { tools: null, parallel: null }).mcp).toBeUndefined();
    expect(changed(entry, { tools: ["read_*"] })).toBe(entry);
  });

  test.each([
    [{ tools: "read_*" }, "mcp.tools"],
    [{ tools: [""] }, "mcp.tools.0"],
    [{ tools: ["a\nb"] }, "mcp.tools.0"],
    [{ tools: ["x".repeat(257)] }, "mcp.tools.0"],
    [{ tools: Array.from({ length: 101 }, (_, at) => `t${at}`) }, "mcp.tools"],
    [{ parallel: 0 }, "mcp.parallel"],
    [{ tool: ["a"] }, "mcp.tool"],
    ["all", "mcp"],
  ])("is refused where it cannot be meant: %p", (mcp, param) => {
    expect(readKeySpec({ name: "ann", mcp })).toMatchObject({ ok: false, param });
  });

  test("is for clients' keys alone", () => {
    expect(readKeySpec({ name: "w", kind: "worker", mcp: { tools: [] } })).toMatchObject({ ok: false, param: "mcp" });
  });

  test("is listed in a keys file as in a request", () => {
    const file = `keys: [{ name: ann, key: "sha256:${"a".repeat(64)}", mcp: { relays: [files], tools: ["@read-only"] } }]`;
    const read = readKeysFile(file, { env: {}, readFile: () => "" }, 1);
    expect(read).toMatchObject({ ok: true, entries: [{ mcp: { relays: ["files"], tools: ["@read-only"] } }] });
  });

  test("names relays exactly or by patterns, and an empty list names none", () => {
    const { mayCall, rules } = toRelayTerms({ relays: ["files", "git-*"] });
    expect(["files", "git-main", "files2", "Files", "agit-x"].map(mayCall)).toEqual([true, true, false, false, false]);
    expect(rules).toBeUndefined();
    expect(toRelayTerms({ relays: [] }).mayCall("files")).toBe(false);
    expect(toRelayTerms({ prompts: [] })).toMatchObject({ rules: { prompts: [] } });
  });
});
