import { expect, test } from "bun:test";
import { weakKeys } from "../../../src/auth/weak-keys.ts";
import { defaultConfig } from "../../support/default-config.ts";

test("weak keys are named by their places, and both halves of a key that a comma has cut are among them", () => {
  const strong = "8f1c22e07a6b4d39b05f6e1d2c3a4b59";
  const config = defaultConfig({
    apiKeys: ["s3cret", "1", strong],
    clientKeys: [strong],
    adminKeys: [strong, "admin"],
  });
  expect(weakKeys(config)).toEqual(["api-key:1", "api-key:2", "admin-key:2"]);
});
