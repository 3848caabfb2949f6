import { describe, expect, test } from "bun:test";
import { type DoctorSources, loadDoctorSettings } from "../../../src/doctor/args.ts";
import { doctorTable } from "../../../src/doctor/doctor-table.ts";
import { toTarget } from "../../../src/doctor/target.ts";
import { CONFIG_FILE } from "../../../src/settings/read-settings.ts";
import { markdownTable } from "../../../src/settings/render.ts";

const docs = await Bun.file(new URL("../../../docs/configuration.md", import.meta.url)).text();

function load(given: Partial<DoctorSources> = {}) {
  return loadDoctorSettings({ argv: [], env: {}, readFile: () => "", version: "9.8.7", ...given });
}

function settingsOf(given: Partial<DoctorSources> = {}) {
  const loaded = load(given);
  if (loaded.kind !== "ready") throw new Error(JSON.stringify(loaded));
  return loaded.config;
}

describe("the doctor's settings", () => {
  test("are named like the worker's, and come from variables, flags and a file", () => {
    const env = {
      SERVER_URL: "hub.example",
      CLIENT_KEY: "c-1",
      API_KEY: "a-1",
      ADMIN_KEY: "o-1",
      AUTH_TOKEN: "t-1",
      DOCTOR_IDLE: "2m",
    };
    expect(settingsOf({ env })).toEqual({
      server: "wss://hub.example",
      clientKeys: ["c-1"],
      apiKey: "a-1",
      adminKey: "o-1",
      httpsProxy: undefined,
      httpProxy: undefined,
      noProxy: undefined,
      idleMs: 120_000,
      json: "false",
    });
    expect(settingsOf({ env, argv: ["--server", "http://other.example/api/llm/connect", "--idle=0"] })).toMatchObject({
      server: "http://other.example",
      idleMs: 0,
    });
    const file = { env: { CONFIG_FILE: "d.yaml" }, readFile: () => "server_url: https://filed.example" };
    expect(settingsOf(file).server).toBe("https://filed.example");
  });

  test("take --json without a value, leaving the next argument alone, or with one after =", () => {
    expect(settingsOf({ argv: ["--json"] }).json).toBe("true");
    expect(settingsOf({ argv: ["--json", "--idle", "5"] })).toMatchObject({ json: "true", idleMs: 5000 });
    expect(settingsOf({ argv: ["--json=false"] }).json).toBe("false");
    expect(load({ argv: ["--json=maybe"] })).toMatchObject({ kind: "faults" });
  });

  test("are all reported if wrong, without repeating a key", () => {
    const loaded = load({ argv: ["--idle", "soon", "stray", "--api-key", "a,b"], env: { CLIENT_KEY: "two words" } });
    const faults = loaded.kind === "faults" ? loaded.faults : [];
    expect(faults.map((fault) => fault.split(":")[0])).toEqual(["client_key", "api_key", "doctor_idle", "argument 3"]);
    expect(faults.join()).not.toMatch(/two words|a,b|stray/);
  });

  test("are listed in docs/configuration.md exactly as in the code", () => {
    const from = docs.indexOf("<!-- doctor settings");
    const to = docs.indexOf("<!-- end of doctor settings");
    expect(from).toBeGreaterThan(0);
    expect(docs.slice(docs.indexOf("\n\n", from) + 2, to).trim()).toBe(
      markdownTable({ configFile: CONFIG_FILE, ...doctorTable() }),
    );
  });
});

describe("the doctor's target", () => {
  const targetOf = (server: string, env: Record<string, string> = {}) =>
    toTarget(settingsOf({ argv: ["--server", server], env }));

  test("is a host, a port and a scheme for any form of the URL", () => {
    expect(targetOf("hub.example")).toMatchObject({ base: "https://hub.example", host: "hub.example", port: 443 });
    expect(targetOf("ws://10.1.2.3:81")).toMatchObject({ port: 81, isTls: false, isAddress: true, isLoopback: false });
    expect(targetOf("http://[::1]:8080")).toMatchObject({ host: "::1", isAddress: true, isLoopback: true });
    expect(targetOf("http://localhost/sub/")).toMatchObject({
      base: "http://localhost/sub",
      port: 80,
      isLoopback: true,
    });
  });

  test("has the proxy that a worker would dial through", () => {
    const env = { HTTPS_PROXY: "http://proxy.example:3128" };
    expect(targetOf("hub.example", env).proxy).toBe("http://proxy.example:3128/");
    expect(targetOf("ws://hub.example", env).proxy).toBe(false);
    expect(targetOf("hub.example", { ...env, NO_PROXY: "a.b, .example" }).proxy).toBe(false);
    expect(targetOf("hub.example", { ...env, no_proxy: "other.example" }).proxy).toBe("http://proxy.example:3128/");
  });
});
