import { describe, expect, test } from "bun:test";
import { createModelGreeting } from "../../../src/models/greeting.ts";
import { createRelayGreeting } from "../../../src/plugins/mcp/greeting.ts";
import { toLegacyId } from "../../../src/tunnel/legacy-id.ts";
import { ID_FORM, isId } from "../../../src/wire/names.ts";
import { parseServerMessage } from "../../../src/wire/server-messages.ts";
import { loadWorkerSettings } from "../../../src/worker/args.ts";
import { readServersFile } from "../../../src/worker/mcp/servers-file.ts";
import { legacyLimits } from "../../support/legacy-limits.ts";

const ALLOWED = [
  "a",
  "9",
  "-",
  "_",
  ":",
  "@",
  "...",
  ".hidden",
  "a.b",
  "a:b",
  "a@b",
  "GPU-1_west.example.com:8080@rack",
  "id",
  "constructor",
  "__proto__",
  "w".repeat(128),
];
const REFUSED = [
  ".",
  "..",
  "a~b",
  "~",
  "a/b",
  "a b",
  "a\tb",
  "a\nb",
  "a%2Fb",
  "a#b",
  "a?b",
  "a,b",
  "<script>",
  "naïve",
  "工作站",
  "a\u0000",
  "a\u202eb",
  "a\ud800",
  "w".repeat(129),
];

const settingsOf = (argv: readonly string[]) =>
  loadWorkerSettings({
    argv,
    env: {},
    readFile: () => "",
    version: "0.0.0",
    knownKinds: ["llm", "mcp"],
    hostname: "box",
    isTerminal: false,
  });

/** Every place that decides about an id, by its name. Each answers whether it takes the id as it is. */
const PLACES: Readonly<Record<string, (id: string) => boolean>> = {
  "the rule": isId,
  "the server, from a model worker": (id) =>
    createModelGreeting(legacyLimits(0)).parse(JSON.stringify({ type: "register", worker_id: id }), "native").ok,
  "the server, from a relay": (id) => createRelayGreeting({ isReady: true }).parse(JSON.stringify({ id }), "native").ok,
  "the server, from a legacy agent": (id) => toLegacyId(id) === id,
  "the worker, from the server": (id) =>
    parseServerMessage(
      JSON.stringify({
        type: "registered",
        worker_id: id,
        session_id: "s",
        window: 1,
        max_frame: 2 ** 20,
        ping_interval_ms: 1,
      }),
    ).type === "registered",
  "the flag --id for a model worker": (id) => settingsOf(["llm", `--id=${id}`]).kind === "ready",
  "the flag --id for a relay": (id) => settingsOf(["mcp", "--url=http://127.0.0.1:1", `--id=${id}`]).kind === "ready",
  "the servers file": (id) =>
    readServersFile("f", {
      env: {},
      readFile: () => JSON.stringify({ mcpServers: { a: { url: "http://127.0.0.1:1", id } } }),
    }).servers.length === 1,
};

describe.each(Object.entries(PLACES))("%s", (_place, takes) => {
  test.each(ALLOWED)("takes the id %j", (id) => {
    expect(takes(id)).toBe(true);
  });

  test.each(REFUSED)("refuses the id %j", (id) => {
    expect(takes(id)).toBe(false);
  });
});

test("the rule's text names every punctuation mark that an id may contain", () => {
  const marks = ID_FORM.split(" (")[0] ?? "";
  for (let code = 0x21; code < 0x7f; code += 1) {
    const mark = String.fromCharCode(code);
    if (!/[A-Za-z0-9,]/.test(mark)) expect([mark, marks.includes(mark)]).toEqual([mark, isId(`a${mark}`)]);
  }
});

test("the rule is written in one file of src", async () => {
  const found: string[] = [];
  for await (const path of new Bun.Glob("{src,views}/**/*.{ts,tsx}").scan(".")) {
    if (/A-Za-z0-9._[:@~][^\]]*\]\{1,/.test(await Bun.file(path).text())) found.push(path);
  }
  expect(found).toEqual(["src/wire/names.ts"]);
});
