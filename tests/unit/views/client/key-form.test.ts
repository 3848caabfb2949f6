import { expect, test } from "bun:test";
import { keyJson } from "../../../../src/admin/key-json.ts";
import { KeyBook } from "../../../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../../../src/keys/key-records.ts";
import { readKeyPatch, readKeySpec } from "../../../../src/keys/key-spec.ts";
import { emptyForm, formOf, hasField, type KeyForm, toPatch, toSpec } from "../../../../views/client/key-form.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const clock = new FakeClock();
const now = clock.now();

/** Makes the key that a form asks for, and returns it as the page gets it. */
function made(form: KeyForm) {
  const book = new KeyBook({ records: createMemoryRecords(), clock, maxRequests: 1000 });
  const read = readKeySpec(toSpec(form, now));
  if (!read.ok) throw new Error(read.message);
  const { entry } = book.create(read.value, { by: "admin-key:1" });
  return { book, entry, key: keyJson(entry, [], now) };
}

const FULL: KeyForm = {
  ...emptyForm(),
  name: "ci",
  tenant: "platform",
  models: "qwen*, llama3:8b",
  class: "background",
  weight: "0,5",
  user_header: "X-User",
  prefer: "own",
  expires: "30",
  parallel: "4",
  tokens_per_day: "2M",
  audio_seconds_per_month: "36k",
  timezone: "Europe/Berlin",
  on_limit: "refuse",
  mcp_tools: "read_*, @read-only",
  mcp_prompts: "nothing",
  mcp_parallel: "2",
};

test("an empty form asks for nothing but a name and a kind", () => {
  expect(toSpec({ ...emptyForm(), name: " ada " }, now)).toEqual({ kind: "client", name: "ada" });
});

test("a full form makes the key that it describes, and shows it again", () => {
  const { key } = made(FULL);
  expect(key).toMatchObject({
    tenant: "platform",
    models: ["qwen*", "llama3:8b"],
    weight: 0.5,
    expires_at: new Date(now + 30 * 86_400_000).toISOString(),
    mcp: { tools: ["read_*", "@read-only"], prompts: [], parallel: 2 },
    limits: { parallel: 4, tokens_per_day: 2_000_000, audio_seconds_per_month: 36_000, on_limit: "refuse" },
  });
  expect(formOf(key)).toMatchObject({ models: "qwen*, llama3:8b", parallel: "4", prefer: "own", expires: "at" });
  expect(formOf(key)).toMatchObject({ mcp_tools: "read_*, @read-only", mcp_prompts: "nothing", mcp_relays: "" });
});

test("the word none is refused for what a key may do at relays, and nothing stands alone", () => {
  const form = (mcp_tools: string) => ({ ...emptyForm(), name: "x", mcp_tools });
  expect(() => toSpec(form("none"), now)).toThrow("write nothing instead of none");
  expect(() => toPatch(form("read_*, none"), form(""), now)).toThrow("write nothing instead of none");
  expect(() => toSpec(form("nothing, read_*"), now)).toThrow("either nothing or patterns");
});

test("a form that was not touched changes nothing", () => {
  const before = formOf(made(FULL).key);
  expect(toPatch({ ...before }, before, now)).toEqual({});
});

test("a change sends what was changed alone, and null for what was emptied", () => {
  const { book, entry, key } = made(FULL);
  const before = formOf(key);
  const after = { ...before, name: "ci-2", models: "", parallel: "8", tokens_per_day: "", expires: "never" };
  const patch = toPatch(after, before, now);
  expect(patch).toEqual({
    name: "ci-2",
    models: null,
    limits: { parallel: "8", tokens_per_day: null },
    expires_at: null,
  });
  const read = readKeyPatch(patch, "client");
  if (!read.ok) throw new Error(read.message);
  expect(keyJson(book.update(entry.id, read.value), [], now)).toMatchObject({
    name: "ci-2",
    models: null,
    limits: { parallel: 8, audio_seconds_per_month: 36_000 },
    expires_at: null,
  });
});

test("each kind of key has the fields that the server takes for it", () => {
  const typed = { ...FULL, tenants: "research, platform team", max_slots: "4", max_uses: "5" };
  for (const kind of ["client", "worker", "join", "admin"] as const)
    expect(readKeySpec(toSpec({ ...typed, kind }, now))).toMatchObject({ ok: true });
  expect(toSpec({ ...typed, kind: "worker" }, now)).toMatchObject({ tenants: ["research", "platform team"] });
  expect(hasField({ kind: "worker" }, "parallel")).toBe(false);
  expect(hasField({ kind: "join" }, "max_uses")).toBe(true);
});

test("what is not a time or a number is sent as it is, so that the server says what is wrong with it", () => {
  const bad = toSpec({ ...emptyForm(), name: "x", parallel: "lots", expires: "at", expires_at: "" }, now);
  expect(bad).toMatchObject({ limits: { parallel: "lots" }, expires_at: "" });
  expect(readKeySpec(bad)).toMatchObject({ ok: false });
});
