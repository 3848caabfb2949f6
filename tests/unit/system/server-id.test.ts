import { expect, test } from "bun:test";
import fc from "fast-check";
import { CHANNEL_PREFIX_CHARS, channelPrefix, onServer, SERVER_ID, toServerId } from "../../../src/system/server-id.ts";
import { hostileText } from "../../support/hostile.ts";

test.each([
  ["web-1", "web-1"],
  ["web-1.example.com", "web-1-example-com"],
  ["_tmp_", "tmp"],
  ["ü", "server"],
  ["", "server"],
])("the host name %p becomes the server id %p", (hostName, id) => {
  expect(toServerId(hostName)).toBe(id);
});

test("any host name becomes a valid server id", () => {
  fc.assert(fc.property(hostileText, (hostName) => SERVER_ID.test(toServerId(hostName))));
});

test("two long host names with one beginning become two server ids", () => {
  const start = "a-host-name-of-more-than-thirty-two-characters";
  expect(toServerId(`${start}.one`)).not.toBe(toServerId(`${start}.two`));
});

test("an id on a server begins with the server's id and needs no escaping in a URL", () => {
  expect(onServer("eu-1", "llm-x-1")).toBe("eu-1~llm-x-1");
  expect(encodeURIComponent(onServer("eu-1", "llm-x-1"))).toBe("eu-1~llm-x-1");
});

test("a channel prefix is the same for one server, another for another, and does not tell the server's name", () => {
  expect(channelPrefix("eu-1")).toBe(channelPrefix("eu-1"));
  expect(channelPrefix("eu-1")).not.toBe(channelPrefix("eu-2"));
  expect(channelPrefix("eu-1")).toMatch(new RegExp(`^[\\w-]{${CHANNEL_PREFIX_CHARS}}$`));
});
