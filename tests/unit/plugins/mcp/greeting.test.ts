import { expect, test } from "bun:test";
import { createRelayGreeting } from "../../../../src/plugins/mcp/greeting.ts";

test("a relay's name and version lose characters that move, hide or break text", () => {
  const hostile = "a\u0000b\nc\u001b[31md\u202ee\u2066f\u200eg\u061ch\u2028i\ud800j";
  const said = createRelayGreeting({ isReady: true }).parse(
    JSON.stringify({ client_name: hostile, info: { version: hostile } }),
    "native",
  );
  const clean = "abc[31mdefghi\ufffdj";
  expect(said).toMatchObject({ ok: true, value: { name: clean, version: clean } });
});
