import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { loadConfig } from "../../src/config.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { CONFIG_FILE, type Loaded } from "../../src/settings/read-settings.ts";
import { serverTable } from "../../src/settings/server-table.ts";
import type { Setting } from "../../src/settings/setting.ts";
import { loadWorkerSettings } from "../../src/worker/args.ts";
import { workerTable } from "../../src/worker/worker-table.ts";
import { expectCleanPrototype, hostileText } from "../support/hostile.ts";
import { times } from "../support/times.ts";

// Settings from all sources are accepted, or refused with the names of wrong ones; secrets are never revealed.

const SECRET = "kept-to-itself-9f3a";
const KINDS = ["llm", "asr", "mcp"];

interface Given {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly file: string;
}

const PROGRAMS: readonly (readonly [
  name: string,
  Readonly<Record<string, Setting<unknown>>>,
  (given: Given) => Loaded<object>,
])[] = [
  [
    "server",
    serverTable(KNOWN_PLUGINS),
    ({ argv, env, file }) =>
      loadConfig({ argv, env, readFile: () => file, version: "1", knownPlugins: KNOWN_PLUGINS, isTerminal: false }),
  ],
  [
    "worker",
    workerTable("box"),
    ({ argv, env, file }) =>
      loadWorkerSettings({
        argv,
        env,
        readFile: () => file,
        version: "1",
        hostname: "box",
        knownKinds: KINDS,
        isTerminal: false,
      }),
  ],
];

const value = fc.oneof(
  hostileText,
  fc.constantFrom(
    "0",
    "-1",
    "1e9",
    "5s",
    "10 MiB",
    "true",
    "*",
    "NaN",
    "Infinity",
    "0x10",
    ",",
    "8080",
    "http://a/",
    "ws://a:b@c/",
  ),
  fc.integer().map(String),
);

describe.each(PROGRAMS)("a %s", (_name, table, load) => {
  const settings = Object.values(table);
  const setting = fc.constantFrom(...settings);
  const secrets = settings.filter(({ isSecret }) => isSecret);
  const argument = fc.oneof(
    hostileText,
    fc.constantFrom("--port", "--port=1", "--print-config", "--", "-p", "llm", "llm,mcp", "--no-such-flag"),
    fc.tuple(setting, value).map(([{ flag }, text]) => `--${flag}=${text}`),
  );
  const file = fc.oneof(
    hostileText,
    fc.json(),
    fc
      .array(fc.tuple(setting, value), { maxLength: 3 })
      .map((lines) => lines.map(([{ yamlKey }, text]) => `${yamlKey}: ${text}`).join("\n")),
    fc.constantFrom(
      "&a [*a, *a]",
      "a: &a\n  <<: *a",
      "__proto__: {polluted: true}",
      "? [1]\n: 2",
      "!!js/function x",
      "[".repeat(20_000),
    ),
  );
  const env = fc.dictionary(fc.constantFrom(...settings.map(({ variable }) => variable), "__proto__", "PATH"), value, {
    maxKeys: 4,
  });

  test("accepts any settings, or refuses them with the reason", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(env, fc.array(argument, { maxLength: 3 }), file, fc.boolean(), (given, argv, text, hasFile) => {
        const loaded = load({
          argv,
          env: { ...given, ...(hasFile ? { [CONFIG_FILE.variable]: "x.yaml" } : {}) },
          file: text,
        });
        seen.add(loaded.kind);
        if (loaded.kind === "faults") {
          expect(loaded.faults.length).toBeGreaterThan(0);
          for (const fault of loaded.faults) expect(fault).toMatch(/^[\s\S]{1,4000}$/);
        }
        expectCleanPrototype();
      }),
      { numRuns: times(1000) },
    );
    expect(seen).toEqual(new Set(["ready", "print", "faults"]));
  });

  test("names the variable that is wrong", () => {
    let wrong = 0;
    fc.assert(
      fc.property(setting, value, ({ variable }, text) => {
        const loaded = load({ argv: [], env: { [variable]: text }, file: "" });
        const plain = load({ argv: [], env: {}, file: "" });
        const always = plain.kind === "faults" ? plain.faults : [];
        if (loaded.kind !== "faults") return;
        for (const fault of loaded.faults.filter((each) => !always.includes(each))) {
          wrong += 1;
          expect(fault).toContain(variable);
          // One line, whatever the value held.
          for (const mark of ["\r", "\n", "\u001b"]) expect(fault).not.toContain(mark);
        }
      }),
      { numRuns: times(1500) },
    );
    expect(wrong).toBeGreaterThan(200);
  });

  test("never reveals a secret, wherever it stands and whatever is wrong with it", () => {
    const spoiled = fc
      .tuple(
        fc.constantFrom("", " ", ",", "bad key ", "é", "\u0001", `${SECRET},`, '"', "x".repeat(5000)),
        fc.constantFrom("", ",", " x", "\n", "\u0000", "'"),
      )
      .map(([before, after]) => before + SECRET + after);
    const place = fc.constantFrom("environment", "flag", "two arguments", "file", "nearly a flag");
    fc.assert(
      fc.property(
        fc.constantFrom(...secrets),
        spoiled,
        place,
        fc.boolean(),
        env,
        ({ variable, flag, yamlKey }, text, where, isPrinted, others) => {
          const argv = [
            ...(where === "flag" ? [`--${flag}=${text}`] : []),
            ...(where === "two arguments" ? [`--${flag}`, text] : []),
            ...(where === "nearly a flag" ? [`--${flag}s`, text] : []),
            ...(isPrinted ? ["--print-config"] : []),
          ];
          const given = {
            ...others,
            ...(where === "environment" ? { [variable]: text } : {}),
            ...(where === "file" ? { CONFIG_FILE: "x.yaml" } : {}),
          };
          const loaded = load({ argv, env: given, file: `${yamlKey}: ${JSON.stringify([text])}` });
          expect(loaded.kind === "ready" ? "" : JSON.stringify(loaded)).not.toContain(SECRET);
        },
      ),
      { numRuns: times(1500) },
    );
  });
});
