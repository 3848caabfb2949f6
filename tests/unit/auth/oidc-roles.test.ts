import { describe, expect, test } from "bun:test";
import { oidcCallerOwner, oidcOwner, roleIn, userName } from "../../../src/auth/oidc-roles.ts";
import { defaultConfig } from "../../support/default-config.ts";

const rule = (claim: string, value: string) => ({ claim, value });

describe("the role of a user", () => {
  const config = defaultConfig({
    oidcAdminClaims: [rule("realm_access.roles", "admin"), rule("email", "ada@example.com")],
    oidcViewerClaims: [rule("https://example.com/groups", "viewers"), rule("staff", "true"), rule("level", "3")],
  });
  const cases: readonly [object, string | undefined][] = [
    [{ realm_access: { roles: ["user", "admin"] } }, "admin"],
    [{ "realm_access.roles": "admin" }, "admin"],
    [{ email: "ada@example.com" }, "admin"],
    [{ email: "ada@example.com", email_verified: true }, "admin"],
    [{ email: "ada@example.com", email_verified: false }, undefined],
    // Some issuers write it as text.
    [{ email: "ada@example.com", email_verified: "true" }, "admin"],
    [{ email: "ada@example.com", email_verified: "false" }, undefined],
    [{ email: "ada@example.com", email_verified: null }, undefined],
    [{ email: "ada@example.com", email_verified: 0 }, undefined],
    [{ "https://example.com/groups": ["viewers"] }, "viewer"],
    [{ staff: true }, "viewer"],
    [{ level: 3 }, "viewer"],
    [{ staff: true, email: "ada@example.com" }, "admin"],
    [{ staff: "no", level: "33" }, undefined],
    [{ realm_access: null }, undefined],
    [{ realm_access: "roles" }, undefined],
    [{ realm_access: { roles: { admin: true } } }, undefined],
    [{}, undefined],
  ];
  test.each(cases)("with %j is %s", (claims, role) => {
    expect(roleIn({ ...claims }, config)).toBe(role as "admin" | "viewer" | undefined); // a table has one type for a column
  });

  test("is none where a claim is inherited by every object", () => {
    expect(roleIn({}, defaultConfig({ oidcAdminClaims: [rule("constructor.name", "Object")] }))).toBeUndefined();
  });
});

describe("the name of a user", () => {
  test("is the verified address, else the id", () => {
    expect(userName({ sub: "u-1", email: "ada@example.com", email_verified: true })).toBe("oidc:ada@example.com");
    expect(userName({ sub: "u-1", email: "ada@example.com", email_verified: "true" })).toBe("oidc:ada@example.com");
    expect(userName({ sub: "u-1", email: "boss@example.com", email_verified: "false" })).toBe("oidc:u-1");
    expect(userName({ sub: "u-1", email: "boss@example.com", email_verified: false })).toBe("oidc:u-1");
    expect(userName({ sub: "u-1", email: "boss@example.com" })).toBe("oidc:u-1");
    expect(userName({ sub: "auth0|5f7c8ec7c33c6c004bbafe82" })).toBe("oidc:auth0|5f7c8ec7c33c6c004bbafe82");
    expect(userName({ sub: "u-1", email: "zoë@例え.jp", email_verified: true })).toBe("oidc:zoë@例え.jp");
  });

  test("is cleaned and bounded, and still differs between users", () => {
    const names = ['x"\n{"event":"forged"}', "a b", "a\tb", "\u202eb", "u".repeat(300), `${"u".repeat(299)}v`, ""].map(
      (sub) => userName({ sub }),
    );
    for (const name of names) {
      expect(name.length).toBeLessThanOrEqual(70);
      expect(name).toMatch(/^oidc:[\p{L}\p{N}._%+@|/=~-]+$/u);
    }
    expect(new Set(names).size).toBe(names.length);
  });
});

test("the name of the issuer for callers changes with the issuer, the client and their claim, and with nothing else", () => {
  const config = {
    oidcIssuer: "https://id.example.com/",
    oidcClientId: "moorage",
    oidcCallerClaims: [rule("groups", "a")],
  };
  const name = oidcCallerOwner(defaultConfig(config));
  expect(name).toBeDefined();
  expect(oidcCallerOwner(defaultConfig({ ...config, oidcAdminClaims: [rule("groups", "b")] }))).toBe(name);
  for (const change of [
    { oidcIssuer: "https://id.example.com/other" },
    { oidcClientId: "other" },
    { oidcCallerClaims: [rule("groups", "b")] },
  ])
    expect(oidcCallerOwner(defaultConfig({ ...config, ...change }))).not.toBe(name);
  expect(oidcCallerOwner(defaultConfig({ ...config, oidcCallerClaims: [] }))).toBeUndefined();
});

describe("the owner of sign-ins", () => {
  const config = {
    oidcIssuer: "https://id.example.com/",
    oidcClientId: "moorage",
    oidcAdminClaims: [rule("groups", "a")],
  };

  test("changes with the issuer, the client and the claims, and with nothing else", () => {
    const owner = oidcOwner(defaultConfig(config));
    expect(oidcOwner(defaultConfig({ ...config, adminKeys: ["key"], oidcClientSecret: "secret" }))).toBe(owner);
    for (const change of [
      { oidcIssuer: "https://id.example.com/other" },
      { oidcClientId: "other" },
      { oidcAdminClaims: [rule("groups", "b")] },
      { oidcViewerClaims: [rule("groups", "b")] },
    ])
      expect(oidcOwner(defaultConfig({ ...config, ...change }))).not.toBe(owner);
  });

  test("is none without an issuer", () => expect(oidcOwner(defaultConfig())).toBeUndefined());
});
