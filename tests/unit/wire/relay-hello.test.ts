import { expect, test } from "bun:test";
import { helloSchema } from "../../../src/wire/relay-hello.ts";

test("docs/protocol.md lists every field of a relay's first message", async () => {
  const page = await Bun.file(new URL("../../../docs/protocol.md", import.meta.url)).text();
  const shown = page.split("A relay's first message has no type: `")[1]?.split("}`")[0] ?? "";
  const { info, ...entries } = helloSchema.entries;
  const fields = [...Object.keys(entries), "info", ...Object.keys(info.wrapped.entries)];
  expect(fields.filter((field) => !new RegExp(`\\b${field}\\b`).test(shown))).toEqual([]);
});
