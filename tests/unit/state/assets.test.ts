import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { Fault } from "../../../src/errors.ts";
import { createAssets } from "../../../src/state/assets.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const assets = createAssets();
const hash = assets.page.script.split("/")[3] ?? "";

function get(name: string, encoding = ""): Response {
  return assets.serve(new Request("http://h/", { headers: { "accept-encoding": encoding } }), hash, name);
}

/** The modules that are pages' entry points: the dashboard, its theme, the page of an MCP sign-in, and the API's documentation. */
const ENTRIES = ["app.ts", "theme.ts", "connect-page.ts", "api-docs.js"];

test("modules import only what is served, and each of them is imported by one", () => {
  const transpiler = new Bun.Transpiler({ loader: "js" });
  const imported = new Set<string>(ENTRIES);
  return Promise.all(
    assets.names
      .filter((name) => name.endsWith(".ts"))
      .map(async (name) => {
        for (const { path } of transpiler.scanImports(await get(name).text())) imported.add(path.replace("./", ""));
      }),
  ).then(() => {
    expect([...imported].filter((name) => !assets.names.includes(name) && !ENTRIES.includes(name))).toEqual([]);
    expect(assets.names.filter((name) => name.endsWith(".ts") && !imported.has(name))).toEqual([]);
  });
});

test("the style sheet has no rule for a class that no markup and no module names", async () => {
  const sources = ["views/**/*.{ts,tsx}", "src/**/*.tsx"].flatMap((glob) => [...new Bun.Glob(glob).scanSync(ROOT)]);
  const words = new Set<string>();
  for (const path of sources)
    for (const [text] of (await Bun.file(join(ROOT, path)).text()).matchAll(/"[^"\n]*"|'[^'\n]*'|`[^`]*`/g))
      for (const [word] of text.matchAll(/[a-zA-Z_][\w-]*/g)) words.add(word);
  const rules = (await get("app.css").text()).replaceAll(/\/\*.*?\*\//gs, "");
  const selectors = [...rules.matchAll(/[^{};]+(?=\{)/g)].map(([selector]) => selector);
  const classes = new Set(
    selectors.flatMap((each) => [...each.matchAll(/\.(-?[a-zA-Z_][\w-]*)/g)].map(([, name]) => name)),
  );
  // Classes of uPlot's own markup, and those that are made with a number.
  const foreign = /^(?:u-|rank-|series-)/;
  expect([...classes].filter((name) => name !== undefined && !words.has(name) && !foreign.test(name))).toEqual([]);
});

describe("an asset of the dashboard", () => {
  test("may be cached forever, under a path that changes with the files", () => {
    expect(assets.page.script).toMatch(/^\/state\/assets\/[0-9a-f]{16}\/app\.ts$/);
    const { headers } = get("app.ts");
    expect(headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(headers.get("vary")).toBe("accept-encoding");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  test.each([
    ["app.ts", "text/javascript; charset=utf-8"],
    ["alpine.js", "text/javascript; charset=utf-8"],
    ["app.css", "text/css; charset=utf-8"],
  ])("named %s has the type %s, which browsers require", (name, type) => {
    expect(get(name).headers.get("content-type")).toBe(type);
  });

  test("is sent in the encoding that the client accepts, with the same content in each", async () => {
    const plain = Buffer.from(await get("app.ts").arrayBuffer());
    const asBrotli = get("app.ts", "gzip, deflate, br");
    expect(asBrotli.headers.get("content-encoding")).toBe("br");
    expect(brotliDecompressSync(Buffer.from(await asBrotli.arrayBuffer())).equals(plain)).toBe(true);
    const asGzip = get("app.ts", "gzip, br;q=0");
    expect(asGzip.headers.get("content-encoding")).toBe("gzip");
    expect(gunzipSync(Buffer.from(await asGzip.arrayBuffer())).equals(plain)).toBe(true);
    expect(get("app.ts").headers.get("content-encoding")).toBeNull();
  });

  test.each([
    [hash, "none.ts"],
    [hash, "../layout.tsx"],
    [hash, "__proto__"],
    ["0123456789abcdef", "app.ts"],
  ])("is not found at %s/%s", (asked, name) => {
    expect(() => assets.serve(new Request("http://h/"), asked, name)).toThrow(Fault);
  });
});

test("the page loads at once what its module imports, and no module that a section loads when it is opened", () => {
  const preloaded = assets.page.preloads.map((path) => path.split("/").at(-1));
  expect(preloaded).toContain("alpine.js");
  expect(preloaded).toContain("later.ts");
  expect(preloaded).not.toContain("app.ts");
  expect(preloaded).not.toContain("keys-page.ts");
  expect(preloaded).not.toContain("key-form.ts");
  expect(preloaded).not.toContain("try-chat.ts");
  expect(assets.names).toContain("key-form.ts");
});

test("the style sheet holds every part of it that the folder has", async () => {
  const sheet = await get("app.css").text();
  const folder = fileURLToPath(new URL("../../../views/client", import.meta.url));
  const parts = [...new Bun.Glob("*.css").scanSync(folder)];
  expect(parts.length).toBeGreaterThan(3);
  for (const part of parts) expect(sheet).toContain(await Bun.file(join(folder, part)).text());
});

test("browser scripts contain no types and import only each other", async () => {
  for (const name of assets.names.filter((each) => each.endsWith(".ts"))) {
    const text = await get(name).text();
    // Read as a program: some of them hold lines of code for people to copy.
    const imported = new Bun.Transpiler({ loader: "js" }).scanImports(text);
    for (const { path } of imported) expect(assets.names).toContain(path.replace("./", ""));
    expect(() => new Bun.Transpiler({ loader: "js" }).transformSync(text)).not.toThrow();
  }
});

test("the assets of a first visit, compressed, are smaller than it may cost; other sections load the rest", async () => {
  const { theme, script, preloads, styles } = assets.page;
  const names = [theme, script, ...preloads, ...styles].map((path) => path.split("/").at(-1) ?? "");
  expect(names).not.toContain("marked.js");
  expect(names.length).toBeLessThan(assets.names.length);
  let bytes = 0;
  for (const name of names) bytes += (await get(name, "br").arrayBuffer()).byteLength;
  expect(bytes).toBeGreaterThan(10_000);
  // The page itself takes a tenth of the hundred.
  expect(bytes).toBeLessThan(90 * 1024);
});
