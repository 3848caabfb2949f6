import { expect, test } from "bun:test";
import { configuredKeys, sha256 } from "../../../src/auth/keys.ts";
import { ownerName } from "../../../src/auth/owner-name.ts";
import { defaultConfig } from "../../support/default-config.ts";

const { api, client } = configuredKeys(
  defaultConfig({ apiKeys: ["one", "two", "one"], clientKeys: ["three"], maxRequestsPerKey: 7 }),
);

test("a key is found by its hash, under a name with its place in the list and nothing of its text", () => {
  expect(api.find(sha256("one"))).toMatchObject({ name: "api-key:1", limits: { maxRequests: 7 } });
  expect(api.find(sha256("two"))).toMatchObject({ name: "api-key:2" });
  expect(client.find(sha256("three"))).toMatchObject({ name: "client-key:1" });
});

test("a text of any other length, content or kind is not a key", () => {
  for (const text of ["", "on", "onetwo", "One", "one ", "three", sha256("one")])
    expect(api.find(sha256(text))).toBeUndefined();
  expect(api.find("one")).toBeUndefined();
});

test("a listed key restricts nothing", () => {
  const record = api.find(sha256("one"));
  expect(record).toMatchObject({ tenant: "default", class: "normal", weight: 1 });
  expect(record?.may("any model")).toBe(true);
});

test("an owner's name is the same in every process, and another for another key or cluster", () => {
  // The value itself: servers of other versions must come to the same.
  expect(ownerName("alpha", "moorage")).toBe("key:3300ab838b41c037");
  const names = [ownerName("alpha", "m"), ownerName("beta", "m"), ownerName("alpha", "elsewhere"), ownerName("", "m")];
  expect(new Set(names).size).toBe(4);
});

test("the keys of a server have the owner names of its cluster", () => {
  const lists = { apiKeys: [], clientKeys: ["alpha"], adminKeys: [], maxRequestsPerKey: 1 };
  const { client } = configuredKeys({ ...lists, clusterName: "elsewhere" });
  expect(client.find(sha256("alpha"))?.owner).toBe(ownerName("alpha", "elsewhere"));
});
