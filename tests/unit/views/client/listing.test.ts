import { expect, test } from "bun:test";
import { type Listing, list, type Row, valuesOf } from "../../../../views/client/listing.ts";

const ROWS: readonly Row[] = [
  { id: "1", name: "gpu-10", models: ["llama", "phi"], load: 2, since: null },
  { id: "2", name: "gpu-9", models: ["llama"], load: 0, since: "2026" },
  { id: "3", name: "mac", models: [], load: 1, since: null, host_info: { os_name: "Darwin" } },
];

function names(options: Partial<Listing>): readonly unknown[] {
  const all: Listing = {
    filter: "",
    facets: {},
    sortKey: "",
    isDescending: false,
    page: 0,
    pageSize: 50,
    ...options,
  };
  return list(ROWS, all).rows.map(({ name }) => name);
}

test("rows keep the server's order until one is sorted by, which compares numbers in names as numbers and puts missing values last", () => {
  expect(names({})).toEqual(["gpu-10", "gpu-9", "mac"]);
  expect(names({ sortKey: "name" })).toEqual(["gpu-9", "gpu-10", "mac"]);
  expect(names({ sortKey: "load", isDescending: true })).toEqual(["gpu-10", "mac", "gpu-9"]);
  for (const isDescending of [false, true])
    expect(names({ sortKey: "since", isDescending })).toEqual(["gpu-9", "gpu-10", "mac"]);
});

test("a filter finds rows that contain all of its words, and a facet those that have a value", () => {
  expect(names({ filter: "GPU phi" })).toEqual(["gpu-10"]);
  expect(names({ filter: "darwin" })).toEqual(["mac"]);
  expect(names({ filter: "nothing" })).toEqual([]);
  expect(names({ facets: { models: "llama" } })).toEqual(["gpu-10", "gpu-9"]);
  expect(names({ facets: { models: "llama", id: "2", name: "" } })).toEqual(["gpu-9"]);
  expect(valuesOf(ROWS, "models")).toEqual(["llama", "phi"]);
});

test("a row without a value adds no choice, which would look like the one for any value", () => {
  expect(valuesOf([{ worker: "" }, { worker: "rack" }], "worker")).toEqual(["rack"]);
});

test("pages have a fixed number of rows, and one past the last is the last", () => {
  const listed = list(ROWS, {
    filter: "",
    facets: {},
    sortKey: "",
    isDescending: false,
    page: 9,
    pageSize: 2,
  });
  expect(listed).toEqual({ rows: ROWS.slice(2), total: 3, page: 1, pages: 2 });
});
