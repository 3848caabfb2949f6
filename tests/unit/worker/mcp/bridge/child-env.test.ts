import { expect, test } from "bun:test";
import { serverTable } from "../../../../../src/settings/server-table.ts";
import { childEnv } from "../../../../../src/worker/mcp/bridge/child-env.ts";
import { workerTable } from "../../../../../src/worker/worker-table.ts";

test("a program that the worker starts sees no key of any of Moorage's programs", () => {
  const tables = [...Object.values(serverTable([])), ...Object.values(workerTable("host"))];
  // A program may need the proxies to reach the service that it is for, or to be installed.
  const secrets = tables
    .map(({ isSecret, variable }) => (isSecret ? variable : ""))
    .filter((name) => /KEY|TOKEN/.test(name));
  expect(secrets).toContain("ADMIN_KEY");
  expect(secrets).toContain("CLIENT_KEY");
  const env = Object.fromEntries(secrets.map((name) => [name, "hush"]));
  expect(childEnv({ ...env, PATH: "/bin", TICKETS_TOKEN: "hush" }, ["TICKETS_TOKEN"])).toEqual({ PATH: "/bin" });
});
