import { describe, expect, test } from "bun:test";
import { planLegacyCall } from "../../../../src/plugins/mcp/legacy-plan.ts";

const plan = (text: string) => planLegacyCall("POST", Buffer.from(text));

describe("a call for a legacy relay", () => {
  test("loses its progress token, and keeps numbers beyond JavaScript's range as written", () => {
    const call = (meta: string): string =>
      `{"id":12345678901234567890,"method":"tools/call","params":{"arguments":{"user":98765432109876543210},"_meta":${meta},"x":1.0}}`;
    expect(plan(call('{"progressToken":1,"trace":11111111111111111111,"b":"\\u00e4"}'))).toMatchObject({
      payload: call('{"trace":11111111111111111111,"b":"\\u00e4"}'),
      id: "12345678901234567890",
    });
    expect(plan(call('{ "progressToken" : "t" }'))).toMatchObject({ payload: call("{}") });
  });

  test.each(['{"trace":1}', "null", "[]", '"progressToken"', '{"x":{"progressToken":1}}'])(
    "with %s for its _meta is forwarded unchanged",
    (meta) => {
      const text = `{"id":1, "method":"m","params":{"_meta": ${meta}}}`;
      expect(plan(text)).toMatchObject({ payload: text });
    },
  );

  test("that begins with a byte order mark is invalid JSON", () => {
    expect(plan('\ufeff{"id":1,"method":"ping"}')).toMatchObject({ kind: "answer", status: 400 });
  });
});
