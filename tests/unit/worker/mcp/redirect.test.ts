import { expect, test } from "bun:test";
import { redirectIn } from "../../../../src/worker/mcp/redirect.ts";

const moved = (from: string, location: string, publicHost?: string) =>
  redirectIn(new Response(null, { status: 307, headers: { location } }), from, publicHost);

test.each([
  ["http://mcp.internal/mcp", "https://hub.example:8443/mcp/", "hub.example:8443", "http://mcp.internal/mcp/"],
  ["http://mcp.internal:9000/mcp", "https://hub.example/mcp/", "hub.example", "http://mcp.internal:9000/mcp/"],
  ["https://mcp.internal/mcp", "http://hub.example:80/mcp/", "hub.example", "https://mcp.internal/mcp/"],
  ["http://mcp.internal/mcp", "//user:pass@mcp.internal/mcp/#part", undefined, "http://mcp.internal/mcp/"],
])("a redirect of %s to %s stays at the scheme, host and port of the MCP server", (from, to, publicHost, url) => {
  expect(moved(from, to, publicHost)).toEqual({ kind: "moved", url, keepsQuery: true });
});

test.each([
  ["http://mcp.internal:22/mcp/", undefined],
  ["http://mcp.internal:8443/mcp/", "hub.example:8443"],
  ["http://hub.example:22/mcp/", "hub.example"],
])("a redirect to %s is one to another address", (location, publicHost) => {
  expect(moved("http://mcp.internal/mcp", location, publicHost)).toMatchObject({ kind: "elsewhere" });
});

test("a redirect says whether its server repeated the query", () => {
  expect(moved("http://mcp.internal/mcp?a=1", "/mcp/?a=1")).toMatchObject({ keepsQuery: true });
  expect(moved("http://mcp.internal/mcp?a=1", "/mcp/")).toEqual({
    kind: "moved",
    url: "http://mcp.internal/mcp/?a=1",
    keepsQuery: false,
  });
});
