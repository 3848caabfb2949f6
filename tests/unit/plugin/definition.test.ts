import { expect, test } from "bun:test";
import { Elysia } from "elysia";
import { createApp } from "../../../src/app.ts";
import { loadConfig } from "../../../src/config.ts";
import { definePlugin } from "../../../src/plugin/definition.ts";
import { KNOWN_PLUGINS } from "../../../src/plugins.ts";
import { integer } from "../../../src/settings/kinds.ts";
import { setting } from "../../../src/settings/setting.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { defaultConfig } from "../../support/default-config.ts";

const deps = { clock: systemClock, ids: systemIds, log: silentLog };
const BUOY = { buoyCount: setting(integer(1, 9), { variable: "BUOY_COUNT", default: "3", help: "Buoys." }) };

function load(known: Parameters<typeof loadConfig>[0]["knownPlugins"], env: Record<string, string>) {
  const loaded = loadConfig({
    argv: [],
    env,
    readFile: () => "",
    version: "1",
    knownPlugins: known,
    isTerminal: false,
  });
  if (loaded.kind !== "ready") throw new Error(JSON.stringify(loaded));
  return loaded.config;
}

test("a plugin gets its own settings, as they are given, and its id", () => {
  const seen: unknown[] = [];
  const buoy = definePlugin({
    id: "buoy",
    settings: BUOY,
    create({ id, config }) {
      seen.push([id, config.buoyCount + 1, config.port]);
      return { routes: new Elysia() };
    },
  });
  const app = createApp(load([buoy], { BUOY_COUNT: "5", PORT: "0" }), deps, { known: [buoy] });
  expect(seen).toEqual([["buoy", 6, 0]]);
  expect(app.plugins.map(({ id }) => id)).toEqual(["buoy"]);
  app.close();
});

test("a plugin that the configuration was not loaded with is refused at the start, by the setting that is missing", () => {
  const buoy = definePlugin({ id: "llm", settings: BUOY, create: () => ({ routes: new Elysia() }) });
  expect(() => createApp(defaultConfig({ plugins: ["llm"] }), deps, { known: [buoy] })).toThrow(
    "buoyCount of the plugin llm",
  );
});

test("a setting of a plugin that is switched off is read and checked all the same", () => {
  const env = { PLUGINS: "llm", TRANSFER_TTL: "2m" };
  expect(load(KNOWN_PLUGINS, env)).toMatchObject({ plugins: ["llm"], transferTtlMs: 120_000 });
  expect(() => load(KNOWN_PLUGINS, { ...env, TRANSFER_TTL: "soon" })).toThrow("transfer_ttl");
});
