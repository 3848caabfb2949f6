import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { sha256 } from "../../../src/auth/keys.ts";
import { type KeySecrets, type KeysFileText, readKeysFile } from "../../../src/keys/keys-file.ts";
import "../../support/seed.ts";

const NOW = 1_700_000_000_000;
const LONG = "0123456789abcdef0123456789abcdef";
const HASH = sha256(LONG);
const MADE = "mk_7f3kq2m9x0ab_0123456789abcdef0123456789abcdef_000000";
const NOT_A_REFERENCE = "'key' must refer to the key";
const SECRETS: KeySecrets = {
  env: { CHAT_KEY: ` ${LONG}-chat\n`, WEAK: "hunter2", BLANK: " ", TWO: `${LONG} ${LONG}`, TYPO: `mk_${LONG}` },
  readFile(path) {
    if (path === "secrets/web") return `${LONG}-web\n`;
    throw Object.assign(new Error("no such file"), { code: "ENOENT" });
  },
};
const read = (text: string): KeysFileText => readKeysFile(text, SECRETS, NOW);
const faults = (text: string): readonly string[] => {
  const result = read(text);
  return result.ok ? [] : result.faults;
};

describe("a file of keys", () => {
  test("lists keys with what they allow, and refers to their secrets", () => {
    const result = read(`
keys:
  - name: ci
    key: sha256:${HASH.toUpperCase()}
    tenant: research
    models: [qwen*]
    limits: { tokens_per_day: 2M, timezone: Europe/Berlin }
    expires_at: 2027-01-31T00:00:00Z
  - { name: chat, key: env:CHAT_KEY, class: interactive }
  - { name: web, key: file:secrets/web, kind: worker, max_slots: 2 }
`);
    if (!result.ok) throw new Error(result.faults.join());
    const [ci, chat, web] = result.entries;
    expect(ci).toEqual({
      id: "file:ci",
      kind: "client",
      source: "file",
      name: "ci",
      tenant: "research",
      models: ["qwen*"],
      limits: { tokensPerDay: 2_000_000, timezone: "Europe/Berlin" },
      expiresAt: Date.UTC(2027, 0, 31),
      secret: { hash: HASH, hint: `sha256:${HASH.slice(0, 4)}…`, madeAt: NOW },
      former: [],
      revision: 1,
      createdAt: NOW,
      createdBy: "KEYS_FILE",
    });
    expect([chat?.secret.hash, chat?.class]).toEqual([sha256(`${LONG}-chat`), "interactive"]);
    expect([web?.secret.hash, web?.kind, web?.maxSlots]).toEqual([sha256(`${LONG}-web`), "worker", 2]);
    expect(JSON.stringify(result)).not.toContain(LONG);
  });

  test("may give one key several secrets, all of which are accepted as long as they are listed", () => {
    const result = read(`keys: [{ name: ci, key: ["sha256:${HASH}", "env:CHAT_KEY"] }]`);
    const former = result.ok ? result.entries[0]?.former : undefined;
    expect(former).toMatchObject([{ hash: sha256(`${LONG}-chat`), validUntil: Number.MAX_SAFE_INTEGER }]);
  });

  test("may be empty", () => {
    expect(read("keys: []")).toEqual({ ok: true, entries: [], tenants: [] });
  });

  test("may give the limits that the keys of a tenant share", () => {
    const result = read("keys: []\ntenants: { research: { parallel: 8, tokens_per_day: 5M } }");
    const made = { source: "file" as const, changedAt: NOW, changedBy: "KEYS_FILE" };
    expect(result).toEqual({
      ok: true,
      entries: [],
      tenants: [{ name: "research", limits: { parallel: 8, tokensPerDay: 5_000_000 }, ...made }],
    });
    expect(faults("keys: []\ntenants: [research]")).toEqual(["'tenants' must be a mapping from names to limits"]);
    expect(faults("keys: []\ntenants: { a: { paralel: 1 }, b: {}, ' ': { parallel: 1 }, c: { parallel: 0 } }")).toEqual(
      [
        "tenant 1 ('a'): 'limits.paralel' is not a field of a tenant; did you mean 'parallel'?",
        "tenant 2 ('b'): 'limits' must have at least one limit.",
        "tenant 3: The name of a tenant must be text of 1 to 128 characters in one line.",
        "tenant 4 ('c'): 'limits.parallel' must be a whole number from 1 to 100000, or such a number with k, M or G.",
      ],
    );
    expect(faults("keys: []\ntenants: { a: { parallel: 1 } }\ntenants: { b: { parallel: 1 } }")).toEqual([
      "the file has two mappings 'tenants'; join them",
    ]);
  });

  test("gives keys ids that are safe in URLs, and different for different names", () => {
    const names = ["ci", "a b", "a/b", "日本"];
    const list = names.map((name, index) => `{ name: "${name}", key: "sha256:${sha256(String(index))}" }`);
    const result = read(`keys: [${list.join(",")}]`);
    const ids = result.ok ? result.entries.map(({ id }) => id) : [];
    expect(ids[0]).toBe("file:ci");
    expect(new Set(ids).size).toBe(4);
    for (const id of ids) expect(id).toMatch(/^file:[A-Za-z0-9._-]+$/);
  });
});

describe("what is wrong with a file of keys", () => {
  const key = `sha256:${HASH}`;
  test.each([
    ["keys: [", ["the file is not valid YAML (Unexpected token in line 1)"]],
    [
      `keys:\n  - name: ci\n    key: "${key}"\n   kind: client\n  - name: b\n`,
      ["the file is not valid YAML (Unexpected token in line 4)"],
    ],
    [
      `# all keys\nkeys:\n  - key: "${key}"\n    name: a\n    models: [a]\n\n  - name: ci\n    modles: [a]\n    key: "${key}"\n`,
      ["key 2 ('ci', line 7): 'modles' is not a field of a key; did you mean 'models'?"],
    ],
    [`keys:\n- name: ${LONG}\n  key: ${LONG}\n`, [`key 1 (line 2): ${NOT_A_REFERENCE}`]],
    [`keys: [{ name: ci, key: "${key}", user_header: Cookie }]`, ["key 1 ('ci'): 'user_header' must be a header that"]],
    ["", ["the file must have a list 'keys' at the top level"]],
    ["keys: {}", ["the file must have a list 'keys' at the top level"]],
    [`keys: [{ name: ci, key: "env:${MADE}" }]`, [`key 1 ('ci'): ${NOT_A_REFERENCE}`]],
    [`keys: [{ name: ci, key: "file:${MADE}" }]`, [`key 1 ('ci'): ${NOT_A_REFERENCE}`]],
    [`keys: []\n${LONG}: 1`, ["a name at the top level is not known; only 'keys' and 'tenants' are"]],
    [`keys: [{ name: ci, ${LONG}: x }]`, ["key 1 ('ci'): One of its fields is not a field of a key."]],
    ["keys: []\nkeys: []", ["the file has two lists 'keys'; join them"]],
    [`keys: ${"[".repeat(100_000)}`, ["the file is not valid YAML (Too many levels)"]],
    ["keys: []\nkey: 1", ["'key' at the top level is not known; only 'keys' and 'tenants' are"]],
    ["keys: [ci]", ["key 1: it must be a mapping with 'name' and 'key'"]],
    ["keys: [{ name: ci }]", ["key 1 ('ci'): 'key' is missing"]],
    [`keys: [{ key: "${key}" }]`, ["key 1: 'name' is missing."]],
    [
      `keys: [{ name: ci, key: "${key}", modles: [a] }]`,
      ["key 1 ('ci'): 'modles' is not a field of a key; did you mean 'models'?"],
    ],
    [`keys: [{ name: ci, key: [] }]`, ["key 1 ('ci'): it must have one 'key', or a list of at most 5"]],
    ["keys: [{ name: ci, key: env:NOBODY }]", ["key 1 ('ci'): the variable NOBODY is not set or empty"]],
    ["keys: [{ name: ci, key: env:BLANK }]", ["key 1 ('ci'): the variable BLANK is not set or empty"]],
    ["keys: [{ name: ci, key: file:nowhere }]", ["key 1 ('ci'): the file nowhere cannot be read (ENOENT)"]],
    ["keys: [{ name: ci, key: env:TYPO }]", ["key 1 ('ci'): the key in the variable TYPO was mistyped or cut off"]],
    [
      "keys: [{ name: ci, key: env:TWO }]",
      ["key 1 ('ci'): the variable TWO must contain one key, of visible ASCII characters without blanks and commas"],
    ],
    [
      "keys: [{ name: ci, key: env:WEAK }]",
      [
        "key 1 ('ci'): the key in the variable WEAK has fewer than 128 bits and can be guessed; create one with `openssl rand -hex 16`",
      ],
    ],
    [
      `keys: [{ name: a, key: "${key}" }, { name: a, key: "sha256:${sha256("b")}" }, { name: c, key: "${key}" }]`,
      ["key 2 ('a'): it has the same name as key 1", "key 3 ('c'): it has the same secret as key 1"],
    ],
    [
      `keys: [{ name: j, kind: join, key: "${key}" }]`,
      ["key 1 ('j'): it is a join token, and the uses of one cannot be counted in this file"],
    ],
  ])("in %j is told", (text, says) => {
    const found = faults(text);
    expect(found.map((fault, index) => fault.slice(0, says[index]?.length ?? 0))).toEqual(says);
  });

  test("is told for every key at once", () => {
    const many = Array.from({ length: 50 }, (_, index) => `{ name: k${index} }`);
    expect(faults(`keys: [${many.join(",")}]`)).toHaveLength(20);
  });

  test("never contains a key that was written into it, and says how to hash it", () => {
    for (const text of [
      `keys: [{ name: ci, key: ${LONG} }]`,
      `keys: [{ name: ci, key: "mk_7f3kq2m9x0ab_${LONG}_abcdef" }]`,
      `keys: [{ name: ci, key: "sha256:${LONG}" }]`,
      `keys: [{ name: ci, secret: ${LONG}, key: "sha256:${HASH}" }]`,
      `keys: [{ name: ci, key: { value: ${LONG} } }]`,
      `keys: [{ name: ci, key: "${LONG} }]`,
      `keys: [{ name: ${LONG}, key: ${LONG} }]`,
      `keys:\n  - name: ${MADE}\n    modles: []\n`,
    ]) {
      const found = faults(text).join();
      expect(found).not.toBe("");
      expect(found).not.toContain(LONG);
    }
    expect(faults(`keys: [{ name: ci, key: ${LONG} }]`)).toEqual([
      "key 1 ('ci'): 'key' must refer to the key, not contain it. Write sha256: and the output of `printf %s \"$KEY\" | sha256sum`, or env:VARIABLE, or file:PATH.",
    ]);
  });
});

test("a hash that is none, or that of an unset variable, is told as such", () => {
  const fault = (hash: string): string => faults(`keys: [{ name: ci, key: "sha256:${hash}" }]`).join();
  for (const hash of [HASH.slice(1), `${HASH}  -`, "", "xyz"]) expect(fault(hash)).toContain("64 hexadecimal digits");
  // printf %s "$KEY" | sha256sum, without KEY.
  expect(fault(new Bun.CryptoHasher("sha256").update("").digest("hex"))).toContain("hash of an empty text");
});

test("the example in docs/keys.md is a file of keys", async () => {
  const page = await Bun.file(new URL("../../../docs/keys.md", import.meta.url)).text();
  const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  const secrets = { env: { CHAT_KEY: LONG }, readFile: () => `${LONG}-2` };
  const result = readKeysFile(example, secrets, NOW);
  expect(result).toMatchObject({ ok: true, entries: [{ name: "ci" }, { name: "chat" }, { name: "intern" }] });
});

test("any file is read or refused, and never breaks the server", () => {
  const field = fc.constantFrom(
    "name",
    "key",
    "kind",
    "models",
    "limits",
    "weight",
    "expires_at",
    "__proto__",
    "other",
  );
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom("ci", `sha256:${HASH}`, "env:CHAT_KEY", "worker", "*"));
  const entry = fc.oneof(fc.jsonValue(), fc.dictionary(field, value));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(entry).map((keys) => JSON.stringify({ keys })),
      ),
      (text) => {
        const result = read(text);
        expect(result.ok || result.faults.length > 0).toBe(true);
      },
    ),
  );
});
