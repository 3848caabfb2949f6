import { afterAll, afterEach, expect, spyOn, test } from "bun:test";
import { createCatalog } from "../../../../views/client/catalog.ts";

const URL = "/api/mcp/catalog";
const INVENTORY = {
  told: true,
  why: null,
  is_cut: false,
  tools: [],
  prompts: [],
  resources: [],
  resource_templates: [],
};
const fetched = spyOn(globalThis, "fetch");
afterEach(() => void fetched.mockReset());
// All files of a run share one `fetch`.
afterAll(() => fetched.mockRestore());

/** Answers the page's requests from a list of relays, and returns the paths that were asked for. */
function serve(ids: readonly string[], next: string | null): string[] {
  const asked: string[] = [];
  const relay = (id: string) => ({ id, name: id, access: "none", keys: [], keys_total: 0, ready_lines: [] });
  const answer = async (path: unknown): Promise<Response> => {
    asked.push(String(path));
    const id = String(path).split("/")[4];
    if (id !== undefined) return Response.json({ ...relay(id), inventory: INVENTORY });
    return Response.json({ data: ids.map(relay), next, missing_servers: [] });
  };
  fetched.mockImplementation(Object.assign(answer, { preconnect: fetch.preconnect }));
  return asked;
}

test("a list that is loaded again has what open relays offer", async () => {
  const asked = serve(["files", "git", "web"], null);
  const catalog = createCatalog(URL);
  await catalog.open();
  for (const relay of catalog.relays.slice(0, 2)) await catalog.show(relay, true);
  for (const relay of catalog.relays.slice(0, 1)) await catalog.show(relay, false);
  asked.length = 0;
  await catalog.load();
  expect(asked).toEqual([`${URL}?limit=1000`, `${URL}/git`]);
  expect(catalog.relays.map(({ inventory }) => inventory?.told)).toEqual([undefined, true, undefined]);
});

test("a list with a next page is not the whole list", async () => {
  const catalog = createCatalog(URL);
  serve(["files"], "files");
  await catalog.load();
  expect(catalog.hasMore).toBe(true);
  serve(["files"], null);
  await catalog.load();
  expect(catalog.hasMore).toBe(false);
});
