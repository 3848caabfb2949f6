import { expect, test } from "bun:test";
import { allPages } from "../../../../views/client/all-pages.ts";

const NAMES = ["ada", "bob", "eve"];

test("all pages of a list are asked for, each after the last row of the one before", async () => {
  const asked: unknown[] = [];
  const rows = await allPages(async (after) => {
    asked.push(after?.["name"]);
    const at = NAMES.indexOf(String(after?.["name"])) + 1;
    return { data: NAMES.slice(at, at + 1).map((name) => ({ name })), has_more: at < 2 };
  });
  expect(rows.map(({ name }) => name)).toEqual(NAMES);
  expect(asked).toEqual([undefined, "ada", "bob"]);
});

test("a list without pages is asked for once, and an empty page is the last one", async () => {
  expect(await allPages(async () => ({ data: [{ name: "ada" }] }))).toEqual([{ name: "ada" }]);
  expect(await allPages(async () => ({ data: [], has_more: true }))).toEqual([]);
});
