import { expect, test } from "bun:test";
import { textFields, textTable } from "../../../src/cli/text-table.ts";

test("columns are as wide as their widest cell, and numbers are aligned to the right", () => {
  const table = textTable(
    [{ title: "KEY" }, { title: "N", isNumber: true }],
    [
      ["日本", "7"],
      ["a", "1200"],
    ],
  );
  expect(table).toBe("KEY      N\n日本     7\na     1200\n");
});

test("control characters of a cell do not reach the terminal", () => {
  expect(textTable([{ title: "A" }], [["\u001b[31mred\n"]])).toBe("A\n[31mred\n");
  expect(textFields({ name: "a\u202eb" })).toBe("name  ab\n");
});
