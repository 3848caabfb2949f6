import { describe, expect, test } from "bun:test";
import type { JSONRPCRequest } from "@modelcontextprotocol/server";
import { ParamHeaders } from "../../../../../src/worker/mcp/bridge/param-headers.ts";
import { decodeHeader, headerFault } from "../../../../../src/worker/mcp/bridge/standard-headers.ts";

const encoded = (text: string): string => `=?base64?${Buffer.from(text).toString("base64")}?=`;

function call(args: unknown, name = "tool"): JSONRPCRequest {
  return { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args as object } }; // or what is none
}

describe("the standard MCP headers", () => {
  const all = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call" };
  test.each([
    [{ ...all, "mcp-name": "tool" }, undefined],
    [{ ...all, "mcp-name": encoded("tool") }, undefined],
    [{ ...all, "mcp-name": "other" }, "is not params.name"],
    [{ ...all, "mcp-name": "=?base64?t?=" }, "not well encoded"],
    [all, "Mcp-Name header is missing"],
    [{ "mcp-protocol-version": "2026-07-28", "mcp-name": "tool" }, "Mcp-Method header is missing"],
    [{ "mcp-method": "tools/call", "mcp-name": "tool" }, "MCP-Protocol-Version header is missing"],
  ])("%j of a tool call give %j", (headers, told) => {
    const fault = headerFault(new Headers(headers), call({}));
    if (told === undefined) expect(fault).toBeUndefined();
    else expect(fault).toContain(told);
  });

  test("need no name if the body has none", () => {
    expect(headerFault(new Headers(all), { jsonrpc: "2.0", id: 1, method: "tools/list" })).toBeUndefined();
    expect(headerFault(new Headers(all), { jsonrpc: "2.0", id: 1, method: "constructor" })).toBeUndefined();
  });

  test("are decoded exactly if they are marked as encoded", () => {
    expect(decodeHeader(encoded("schöner Name"))).toBe("schöner Name");
    expect(decodeHeader("=?base64?")).toBe("=?base64?");
    for (const bad of ["=?base64?Zg?=", "=?base64?Z!==?=", "=?base64?/w==?="])
      expect(decodeHeader(bad)).toBeUndefined();
  });
});

describe("headers that repeat a tool's arguments", () => {
  const headers = new ParamHeaders();
  const inputSchema = {
    type: "object",
    properties: {
      region: { type: "string", "x-mcp-header": "Region" },
      where: { type: "object", properties: { floor: { type: "integer", "x-mcp-header": "Floor" } } },
      list: { type: "array", items: { type: "string", "x-mcp-header": "Item" } },
    },
  };
  headers.learn({ tools: [{ name: "tool", inputSchema }, { name: "plain", inputSchema: { type: "object" } }, null] });

  test.each([
    [{ region: "eu" }, { "mcp-param-region": "eu" }, undefined],
    [{ region: "österreich" }, { "mcp-param-region": encoded("österreich") }, undefined],
    [{ region: "eu" }, {}, "missing"],
    [{ region: "eu" }, { "mcp-param-region": "us" }, "is not the argument"],
    [{ region: "eu" }, { "mcp-param-region": "=?base64?!?=" }, "not well encoded"],
    [{ where: { floor: 2 } }, { "mcp-param-floor": "2.0" }, undefined],
    [{ where: { floor: 2 } }, { "mcp-param-floor": "3" }, "is not the argument"],
    [{ region: null, list: ["x"] }, {}, undefined],
    [undefined, {}, undefined],
  ])("for %j given as %j: %j", (args, given, told) => {
    const fault = headers.fault(new Headers(given as Record<string, string>), call(args)); // of strings, all of them
    if (told === undefined) expect(fault).toBeUndefined();
    else expect(fault).toContain(told);
  });

  test("are not required by an unknown tool, or by one that no longer declares them", () => {
    expect(headers.fault(new Headers(), call({ region: "eu" }, "other"))).toBeUndefined();
    const changed = new ParamHeaders();
    changed.learn({ tools: [{ name: "tool", inputSchema }] });
    changed.learn({ tools: [{ name: "tool", inputSchema: {} }] });
    changed.learn("no list");
    expect(changed.fault(new Headers(), call({ region: "eu" }))).toBeUndefined();
  });
});
