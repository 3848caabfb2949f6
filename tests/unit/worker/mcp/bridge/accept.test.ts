import { expect, test } from "bun:test";
import { parseAccept, spellOutAccept } from "../../../../../src/worker/mcp/bridge/accept.ts";

test.each([
  [null, true, true],
  ["*/*", true, true],
  ["application/json, text/event-stream", true, true],
  ["Application/JSON; charset=utf-8,text/*;q=0.1", true, true],
  ["application/json", true, false],
  ["text/event-stream", false, true],
  ["application/json, text/event-stream;q=0", true, false],
  ["text/html, application/xhtml+xml", false, false],
  ["", false, false],
])("a client that sends Accept: %p accepts JSON: %p, events: %p", (header, json, events) => {
  expect(parseAccept(header)).toEqual({ json, events });
});

test("ranges are spelled out for the transport of the SDK", () => {
  expect(spellOutAccept("*/*")).toBe("application/json, text/event-stream");
  expect(spellOutAccept("application/json")).toBe("application/json");
});
