import { expect, test } from "bun:test";
import { createSecrets } from "../../../src/auth/secrets.ts";

const KEYS = { apiKeys: ["a", "b"], clientKeys: ["c"], adminKeys: [], clusterName: "moorage" };
const random = (): string => "random";

test("secrets of two uses have nothing in common", () => {
  const secretFor = createSecrets({ shared: undefined, cluster: undefined, random });
  expect(secretFor("prompts")()).not.toBe(secretFor("end-users")());
  expect(secretFor("prompts")()).toBe(secretFor("prompts")());
});

test("servers of a cluster have the same secrets, in whatever order they list their keys", () => {
  const one = createSecrets({ shared: undefined, cluster: KEYS, random });
  const other = createSecrets({ shared: undefined, cluster: { ...KEYS, apiKeys: ["b", "a"] }, random: () => "x" });
  expect(one("prompts")()).toBe(other("prompts")());
  const changes = [
    { clusterName: "another" },
    { apiKeys: ["a"] },
    { clientKeys: ["d"] },
    { adminKeys: ["e"] },
    { fileDigest: "f" },
  ];
  for (const change of changes) {
    const stranger = createSecrets({ shared: undefined, cluster: { ...KEYS, ...change }, random });
    expect(stranger("prompts")()).not.toBe(one("prompts")());
  }
});

test("a shared secret counts more than keys as soon as it is known", () => {
  let current: string | undefined;
  const secret = createSecrets({ shared: { current: () => current }, cluster: KEYS, random })("cache-salts");
  const before = secret();
  current = "shared";
  expect(secret()).not.toBe(before);
  expect(secret()).toBe(
    createSecrets({ shared: { current: () => "shared" }, cluster: undefined, random })("cache-salts")(),
  );
});
