import { describe, expect, test } from "bun:test";
import { clientKeyOf, SESSION_HEADERS } from "../../../src/affinity/client-key.ts";

const none = new Headers();
const SESSION = "0aa31c2e-1d7e-4f8e-9c1b-2b3f7d9c0001";

describe("a client's key", () => {
  test.each(SESSION_HEADERS.map((name) => [name]))("%s names a conversation", (name) => {
    expect(clientKeyOf(new Headers({ [name]: SESSION }), {})).toEqual({ source: "session", value: SESSION });
  });

  test("the first that exists counts: header, conversation, metadata, cache key", () => {
    const body = { conversation: "conv_1", metadata: { session_id: "s" }, prompt_cache_key: "k" };
    expect(clientKeyOf(new Headers({ "x-session-id": "h" }), body)?.value).toBe("h");
    expect(clientKeyOf(none, body)).toEqual({ source: "session", value: "conv_1" });
    expect(clientKeyOf(none, { ...body, conversation: { id: "conv_2" } })?.value).toBe("conv_2");
    expect(clientKeyOf(none, { ...body, conversation: null })?.value).toBe("s");
    expect(clientKeyOf(none, { prompt_cache_key: "k" })).toEqual({ source: "cache_key", value: "k" });
    expect(clientKeyOf(none, {})).toBeUndefined();
  });

  test("Claude Code's user id names its session, in both forms", () => {
    const older = { metadata: { user_id: `user_c0ffee_account_${SESSION}_session_${SESSION}` } };
    expect(clientKeyOf(none, older)?.value).toBe(SESSION);
    const newer = { metadata: { user_id: JSON.stringify({ device_id: "d", account_uuid: "", session_id: SESSION }) } };
    expect(clientKeyOf(none, newer)?.value).toBe(SESSION);
    expect(clientKeyOf(none, { metadata: { user_id: "user-17" } })).toBeUndefined();
  });

  test("a value that is empty, too long or not visible ASCII is as good as none", () => {
    for (const value of ["", " ", "a b", "ä", "x".repeat(257)])
      expect(clientKeyOf(none, { prompt_cache_key: value })).toBeUndefined();
    for (const value of [1, true, null, {}, ["a"]])
      expect(clientKeyOf(none, { prompt_cache_key: value, conversation: value, metadata: value })).toBeUndefined();
    const headers = new Headers({ "x-session-id": "x".repeat(300), "x-session-affinity": "fits" });
    expect(clientKeyOf(headers, {})?.value).toBe("fits");
  });
});
