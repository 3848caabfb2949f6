import { expect, test } from "bun:test";
import { type KeyEntry, parseKeyEntry } from "../../../src/keys/key-entry.ts";

const FULL: KeyEntry = {
  id: "7f3kq2m9x0ab",
  kind: "client",
  source: "made",
  name: "CI",
  tenant: "research",
  models: ["qwen*", "llama3:8b"],
  limits: { parallel: 4, tokensPerDay: 2_000_000, timezone: "Europe/Berlin", onLimit: "refuse" },
  weight: 2,
  class: "background",
  userHeader: "x-openwebui-user-id",
  prefer: "own",
  tenants: ["research"],
  maxSlots: 8,
  maxUses: 1,
  expiresAt: 2_000_000_000_000,
  secret: { hash: "ab".repeat(32), hint: "mk_7f3k…", madeAt: 2, operation: "cd".repeat(32) },
  former: [{ hash: "ef".repeat(32), hint: "mk_7f3k…", madeAt: 1, validUntil: 3 }],
  revision: 7,
  createdAt: 1,
  createdBy: "admin-key:1",
  revokedAt: 4,
  revokedBy: "cli",
  lastUsedAt: 5,
  workerId: "gpu-1",
  uses: 1,
};

test("an entry with every member is the same after it was written as JSON and read", () => {
  expect(parseKeyEntry(JSON.parse(JSON.stringify(FULL)))).toEqual(FULL);
});

test("an entry needs no more than its name, secret and origin", () => {
  const { id, kind, source, name, secret, revision, createdAt, createdBy } = FULL;
  const least: KeyEntry = { id, kind, source, name, limits: {}, secret, former: [], revision, createdAt, createdBy };
  expect(parseKeyEntry(JSON.parse(JSON.stringify(least)))).toEqual(least);
});

test("members that a newer version has added are dropped", () => {
  expect(parseKeyEntry({ ...FULL, colour: "red", limits: { ...FULL.limits, flops: 1 } })).toEqual(FULL);
});

test("a value that is no entry is not read", () => {
  for (const value of [undefined, null, 1, "text", [], {}, { ...FULL, secret: { ...FULL.secret, hash: "ab" } }]) {
    expect(parseKeyEntry(value)).toBeUndefined();
  }
});
