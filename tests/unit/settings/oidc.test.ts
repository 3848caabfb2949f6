import { describe, expect, test } from "bun:test";
import * as v from "valibot";
import { type ConfigSources, loadConfig } from "../../../src/config.ts";
import { KNOWN_PLUGINS } from "../../../src/plugins.ts";
import { claimRules, issuer } from "../../../src/settings/oidc.ts";

describe("an issuer's URL", () => {
  test.each([
    "https://id.example.com/realms/office",
    "https://id.example.com:8443/",
    "http://localhost:9000/",
    "http://127.0.0.1/x",
  ])("is taken: %s", (url) => expect(v.parse(issuer.schema, url)).toBe(url));

  test.each([
    "id.example.com",
    "http://id.example.com",
    "http://10.0.0.1/",
    "https://user:password@id.example.com",
    "https://id.example.com?tenant=a",
    "https://id.example.com#a",
    "file:///etc/passwd",
  ])("is refused: %s", (url) => expect(v.safeParse(issuer.schema, url).success).toBe(false));
});

describe("claims for roles", () => {
  test.each([
    ["groups:gpu-admins", [{ claim: "groups", value: "gpu-admins" }]],
    ["roles:urn:moorage:admin", [{ claim: "roles", value: "urn:moorage:admin" }]],
    ["https://example.com/groups:admins", [{ claim: "https://example.com/groups", value: "admins" }]],
    [["groups:CN=GPU Admins,OU=Groups"], [{ claim: "groups", value: "CN=GPU Admins,OU=Groups" }]],
  ])("are read from %j", (written, rules) => expect(v.parse(claimRules.schema, written)).toEqual(rules));

  test.each(["groups", "groups:", ":admins", "https://example.com/groups"])("are refused as %j", (written) =>
    expect(v.safeParse(claimRules.schema, written).success).toBe(false),
  );
});

describe("the settings of an issuer", () => {
  const load = (env: Record<string, string>) => {
    const sources: ConfigSources = {
      argv: [],
      env,
      readFile: () => "",
      version: "",
      knownPlugins: KNOWN_PLUGINS,
      isTerminal: false,
    };
    const loaded = loadConfig(sources);
    return loaded.kind === "faults" ? loaded.faults.join("\n") : loaded.kind;
  };
  const issuerOnly = { OIDC_ISSUER: "https://id.example.com" };

  test("say what is missing", () => {
    expect(load(issuerOnly)).toContain("oidc_client_id: is not set");
    expect(load({ ...issuerOnly, OIDC_CLIENT_ID: "moorage" })).toContain("oidc_admin_claim: is not set");
    for (const name of ["OIDC_ADMIN_CLAIM", "OIDC_VIEWER_CLAIM"])
      expect(load({ ...issuerOnly, OIDC_CLIENT_ID: "moorage", [name]: "groups:a" })).toBe("ready");
  });

  test("repeat no secret in a fault", () => {
    expect(load({ ...issuerOnly, OIDC_CLIENT_SECRET: "s3cret\u0007" })).not.toContain("s3cret");
  });
});
