import { expect, test } from "bun:test";
import { toAuditRow, toPastJobRow } from "../../../../views/client/asked-rows.ts";

test.each([
  [{ input_tokens: 1000, output_tokens: 200, cached_tokens: 700, estimated: false }, "1000 in, 200 out", "700 cached"],
  [{ input_tokens: 12_345, output_tokens: null, cached_tokens: null, estimated: true }, "12.3 k in", "estimated"],
  [{ input_tokens: null, output_tokens: null, audio_seconds: 90, estimated: false }, "90 s audio", ""],
  [{ input_tokens: null, output_tokens: null, audio_seconds: null, estimated: true }, "–", ""],
])("a request that used %o says what", (entry, tokens, notes) => {
  expect(toPastJobRow(entry)).toMatchObject({ tokens_text: tokens, notes });
});

test("an entry of the audit trail has its details in one line", () => {
  const detail = { name: "ada", overlap_s: 3600, unanswered: null };
  expect(toAuditRow({ id: 1, detail })["detail_text"]).toBe("name ada, overlap s 3600");
  expect(toAuditRow({ id: 1, detail: {} })["detail_text"]).toBe("");
});
