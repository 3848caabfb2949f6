import { expect, test } from "bun:test";
import { join } from "node:path";
import { ROUTE_REASONS } from "../../../../src/pool/routing/route.ts";

test("docs/scheduling.md lists every reason for choosing a worker, with its meaning", async () => {
  const page = await Bun.file(join(import.meta.dir, "../../../../docs/scheduling.md")).text();
  const section = page.slice(page.indexOf("### Why a worker was chosen"), page.indexOf("### Workers that fail"));
  const rows = [...section.matchAll(/^\| `([a-z_]+)` \| (.+) \|$/gm)].map(([, reason, meaning]) => [reason, meaning]);
  expect(rows).toEqual(Object.entries(ROUTE_REASONS));
});
