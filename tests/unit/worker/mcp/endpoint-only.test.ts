import { expect, test } from "bun:test";
import { INVENTORY_PATH } from "../../../../src/wire/mcp-inventory.ts";
import { METADATA_PATH } from "../../../../src/wire/mcp-metadata.ts";
import { endpointOnly } from "../../../../src/worker/mcp/endpoint-only.ts";

const passed = { kind: "refuse", code: "internal", message: "it was opened" } as const;
const backend = endpointOnly({ open: () => passed });

test.each(["/", "/?a=b", "/?a=/../x"])("a request for the endpoint is opened: %s", (path) => {
  expect(backend.open({ method: "POST", path, headers: [] })).toBe(passed);
});

test("the server's question for metadata is opened", () => {
  const head = { method: "GET", path: METADATA_PATH, headers: [], resource: "https://public/api/mcp/id/r" };
  expect(backend.open(head)).toBe(passed);
});

test("the server's question for the inventory is opened", () => {
  expect(backend.open({ method: "GET", path: INVENTORY_PATH, headers: [] })).toBe(passed);
});

test.each([
  ["POST", INVENTORY_PATH],
  ["GET", `${INVENTORY_PATH}/`],
  ["GET", `${INVENTORY_PATH}?a`],
  ["GET", "/admin/users?drop=1"],
  ["POST", "/mcp"],
  ["POST", "//"],
  ["DELETE", "/a/b"],
  ["GET", "/%2e%2e/x"],
  ["GET", METADATA_PATH],
  ["POST", ""],
])("a request that the server should have refused gets 403 from the worker: %s %s", (method, path) => {
  expect(backend.open({ method, path, headers: [] })).toMatchObject({ kind: "answer", status: 403 });
});
