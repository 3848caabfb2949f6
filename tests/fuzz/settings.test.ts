import { expect, test } from "bun:test";
import fc from "fast-check";
import { loadConfig } from "../../src/config.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { serverTable } from "../../src/settings/server-table.ts";
import { hostileText } from "../support/hostile.ts";
import { times } from "../support/times.ts";

const table = Object.values(serverTable(KNOWN_PLUGINS));
const variables = table.map(({ variable }) => variable);
const SECRET = "kept-to-itself-9f3a";

const value = fc.oneof(
  hostileText,
  fc.constantFrom("0", "-1", "1e9", "5s", "10 MiB", "true", "*", "NaN", "Infinity", "0x10", ",", "8080"),
  fc.integer().map(String),
);

test("whatever the environment and the arguments say, they are taken, or refused by the names of what is wrong", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...variables), value, { maxKeys: 4 }),
      fc.array(fc.oneof(hostileText, fc.constantFrom("--port", "--port=1", "--help", "--print-config", "--", "-p")), {
        maxLength: 3,
      }),
      fc.oneof(hostileText, fc.json()),
      (env, argv, file) => {
        const secrets = { API_KEY: `${SECRET},bad key ${SECRET}`, CLIENT_KEY: SECRET };
        const loaded = loadConfig({
          argv,
          env: { CONFIG_FILE: "x.yaml", ...env, ...secrets },
          readFile: () => file,
          version: "1",
          knownPlugins: KNOWN_PLUGINS,
          isTerminal: false,
        });
        expect(JSON.stringify(loaded.kind === "ready" ? {} : loaded)).not.toContain(SECRET);
        if (loaded.kind === "faults") for (const fault of loaded.faults) expect(fault).not.toBe("");
        expect(Object.keys(Object.prototype)).toEqual([]);
      },
    ),
    { numRuns: times(2000) },
  );
});
