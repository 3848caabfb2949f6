import { expect, test } from "bun:test";
import { listKeys } from "../../../src/admin/key-list.ts";
import { readListQuery } from "../../../src/admin/key-request.ts";
import { KeyBook } from "../../../src/keys/key-book.ts";
import type { KeyKind } from "../../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../../src/keys/key-records.ts";
import type { KeyTerms } from "../../../src/keys/key-terms.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const BY = { by: "admin-key:1" };
const clock = new FakeClock();

function bookWith(
  ...keys: readonly (Partial<KeyTerms> & { readonly name: string; readonly kind?: KeyKind })[]
): KeyBook {
  const book = new KeyBook({ records: createMemoryRecords(), clock, maxRequests: 1000 });
  for (const { kind = "client", ...terms } of keys) book.create({ kind, terms: { limits: {}, ...terms } }, BY);
  return book;
}

function names(book: KeyBook, query: string): readonly string[] {
  const asked = readListQuery(new Request(`http://server/api/keys?${query}`));
  return listKeys(book.list(), asked, clock.now()).data.map(({ name }) => name);
}

test("a list is sorted as people expect: without regard to case, and with numbers by their size", () => {
  const book = bookWith({ name: "user 10" }, { name: "User 9" }, { name: "ada" });
  expect(names(book, "")).toEqual(["user 10", "User 9", "ada"]);
  expect(names(book, "sort=-created")).toEqual(["ada", "User 9", "user 10"]);
  expect(names(book, "sort=name")).toEqual(["ada", "User 9", "user 10"]);
  expect(names(book, "sort=-name")).toEqual(["user 10", "User 9", "ada"]);
});

test("keys that lack what a list is sorted by come last in either direction", () => {
  const soon = clock.now() + 1000;
  const book = bookWith({ name: "never" }, { name: "late", expiresAt: soon + 1 }, { name: "soon", expiresAt: soon });
  expect(names(book, "sort=expires")).toEqual(["soon", "late", "never"]);
  expect(names(book, "sort=-expires")).toEqual(["late", "soon", "never"]);
});

test("a search finds keys by words in their name, tenant, models, id and maker", () => {
  const book = bookWith(
    { name: "Ada", tenant: "research" },
    { name: "ci", models: ["qwen*"] },
    { name: "ada at home" },
  );
  const [first] = book.list();
  expect(names(book, "search=ADA")).toEqual(["Ada", "ada at home"]);
  expect(names(book, "search=ada+research")).toEqual(["Ada"]);
  expect(names(book, "search=qwen")).toEqual(["ci"]);
  expect(names(book, `search=${first?.id}`)).toEqual(["Ada"]);
  expect(names(book, "search=admin-key")).toEqual(["Ada", "ci", "ada at home"]);
  expect(names(book, "search=nobody")).toEqual([]);
});

test("filters by kind, tenant and status hold together with the pages", () => {
  const book = bookWith(
    { name: "a", tenant: "x" },
    { name: "b", tenant: "x" },
    { name: "c", tenant: "y" },
    { name: "w", kind: "worker" },
  );
  const [, b] = book.list();
  book.revoke(b?.id ?? "", BY);
  expect(names(book, "tenant=x")).toEqual(["a", "b"]);
  expect(names(book, "tenant=x&status=active")).toEqual(["a"]);
  expect(names(book, "kind=worker")).toEqual(["w"]);
  expect(names(book, "limit=2&offset=1")).toEqual(["b", "c"]);
  const query = readListQuery(new Request("http://server/api/keys?kind=client&limit=1"));
  expect(listKeys(book.list(), query, clock.now())).toMatchObject({ total: 3, hasMore: true });
});

test("a page goes on after a key in any order, and a key that the query leaves out is refused", () => {
  const book = bookWith({ name: "c" }, { name: "a" }, { name: "b", kind: "worker" });
  const [c, , b] = book.list();
  const after = (id: string | undefined, rest: string): readonly string[] => names(book, `after=${id}${rest}`);
  expect(after(c?.id, "")).toEqual(["a", "b"]);
  expect(after(b?.id, "&sort=name")).toEqual(["c"]);
  expect(() => after(b?.id, "&kind=client")).toThrow("not in this list");
  expect(() => after("nobody", "")).toThrow("No key has the id");
});

test.each(["sort=hash", "sort=", "limit=0", "limit=1001", "offset=-1", "kind=robot", "status=new"])(
  "a list with %s is refused, or the parameter is not there at all",
  (query) => {
    const read = (): unknown => readListQuery(new Request(`http://server/api/keys?${query}`));
    if (query.endsWith("=")) expect(read()).toMatchObject({ sort: "created" });
    else expect(read).toThrow("must be");
  },
);
