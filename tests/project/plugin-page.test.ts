import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { KINDS } from "../../src/worker/kinds.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { bellPlugin } from "./plugin-page/bell/plugin.tsx";
import { ttsKind } from "./plugin-page/tts/kind.ts";
import { ttsPlugin } from "./plugin-page/tts/plugin.tsx";

const ROOT = join(import.meta.dir, "../..");
const read = (path: string): Promise<string> => Bun.file(join(ROOT, path)).text();
const page = await read("docs/plugins.md");
/** Places that the page lists, in the order of the list. */
const PLACES = [...page.matchAll(/^\d+\. `([^`]+)`: /gm)].map(([, place = ""]) => place);

let server: TestServer;
const serve = (plugins: readonly string[]): void => {
  server = new TestServer({ plugins }, {}, [...KNOWN_PLUGINS, bellPlugin, ttsPlugin]);
};
const getJson = async (path: string): Promise<Record<string, unknown>> =>
  (await (await server.fetch(path)).json()) as Record<string, unknown>; // the server's own JSON, held by its own tests

describe("the code on the page", () => {
  /** The code's lines, with its imports in one order and from where the page's file would stand. */
  const normal = (code: string, toPage: (specifier: string) => string): readonly string[] => {
    const lines = code.trim().split("\n");
    const isImport = (line: string): boolean => line.startsWith("import ");
    const imports = lines.filter(isImport).map((line) => line.replace(/(?<=from ")[^"]+/, toPage));
    return [...imports.toSorted(), ...lines.filter((line) => !isImport(line))];
  };
  const UP = "../../../../";

  test.each([
    [
      "bell/plugin.tsx",
      (from: string) => from.replace(`${UP}src/`, "../../").replace(`${UP}views/`, "../../../views/"),
    ],
    ["tts/plugin.tsx", (from: string) => from.replace(`${UP}src/`, "../../")],
    ["tts/kind.ts", (from: string) => from.replace(`${UP}src/worker/`, "./")],
  ])("is that of %s, which is type-checked, linted and run below", async (file, toPage) => {
    const shown = page.split(`<!-- code: ${file} -->`)[1]?.match(/```tsx?\n(.*?)```/s)?.[1] ?? "";
    const real = await read(`tests/project/plugin-page/${file}`);
    expect(normal(shown, (from) => from)).toEqual(normal(real, toPage));
  });
});

describe("the smallest plugin", () => {
  afterEach(() => server.stop());

  test("answers its clients, and takes its setting", async () => {
    serve(["bell"]);
    const rung = await server.post("/api/bell/ring/3", {});
    expect(await rung.json()).toEqual({ sound: "ding ding ding" });
    expect((await server.post("/api/bell/ring/9", {})).status).toBe(400);
    expect((await fetch(`${server.url}/api/bell/ring/1`, { method: "POST" })).status).toBe(401);
  });

  test("is in the state, in the API's description and on the dashboard", async () => {
    serve(["llm", "bell"]);
    await server.post("/api/bell/ring/2", {});
    expect((await getJson("/api/state"))["plugins"]).toMatchObject({ bell: { strokes_total: 2 } });
    const document = await getJson("/api/client/openapi.json");
    expect(document["paths"]).toMatchObject({ "/api/bell/ring/{strokes}": { post: { tags: ["Bell"] } } });
    expect(document["tags"]).toContainEqual({ name: "Bell", description: "A ship's bell that clients ring." });
    const dashboard = await (await server.fetch("/state")).text();
    expect(dashboard).toMatch(/<a href="#bell"[^>]*>\s*Bell\s*<\/a>/);
    expect(dashboard).toContain('id="tab-bell"');
    expect(await (await server.fetch("/api/state/view/bell.html")).text()).toMatch(/Ship.{1,6}s bell/);
  });

  test("is not there when PLUGINS leaves it out", async () => {
    serve(["llm"]);
    expect((await server.post("/api/bell/ring/1", {})).status).toBe(404);
    expect(Object.keys((await getJson("/api/state"))["plugins"] as object)).toEqual(["llm"]); // an object by its shape
  });
});

describe("the plugin whose workers serve models", () => {
  afterEach(() => server.stop());

  test("takes its path from the language models, and has workers, models, state and a section", async () => {
    serve(["llm", "tts"]);
    const worker = await NativeWorker.connect({
      url: server.url,
      path: `/api/${ttsKind.name}/connect`,
      register: { client_key: CLIENT_KEY, models: ["kokoro"], max_concurrency: 1 },
    });
    const speech = server.post("/v1/audio/speech", { model: "kokoro", voice: "alloy", input: "Ahoy." });
    const { id, head } = await worker.request();
    expect(head).toMatchObject({ method: "POST", path: "/audio/speech" });
    worker.answerJson(id, { sound: "…" });
    expect(await (await speech).json()).toEqual({ sound: "…" });

    expect(await getJson("/api/tts/v1/models")).toMatchObject({ data: [{ id: "kokoro", type: "speech" }] });
    const { plugins } = (await getJson("/api/state")) as { plugins: Record<string, { workers: object[] }> }; // as above
    expect(plugins["tts"]?.workers).toMatchObject([{ models: ["kokoro"], processed_total: 1 }]);
    expect(await (await server.fetch("/api/state/view/tts.html")).text()).toContain("Text to speech");
    expect((await server.post("/v1/audio/speech", {})).status).toBe(400);
  });
});

describe("the places outside a plugin's folder", () => {
  /** Files that name a plugin although they are no place for a new one to touch, and why. */
  const EXCEPTIONS: readonly (readonly [file: RegExp, plugin: string, why: string])[] = [
    [/^src\/(demo|doctor)\//, "*", "the demo and the doctor use the product as an operator does"],
    [/^src\/errors\.ts$/, "transfer", "every plugin's codes are in the one table, which the page names"],
    [/^src\/auth\/(auth|caller|gates?)\.ts$/, "transfer", "transfers take client keys too, which is a door of its own"],
    [
      /^src\/worker\/(mcp\/.*|args|worker|worker-table|kinds)\.ts$/,
      "mcp",
      "a relay is a program of its own in the worker",
    ],
    [
      /^src\/(calls|oauth)\//,
      "mcp",
      "who calls MCP servers is recorded and let in for the server as a whole, as for usage and keys",
    ],
    [/^src\/(cli\/mcp-\w+|keys\/key-spec)\.ts$/, "mcp", "operators and keys say what callers of MCP servers may do"],
    [/^views\/client\/(grants|mcp-calls|operator)\.ts$/, "mcp", "operators see these callers on the dashboard"],
    [
      /^views\/client\/(catalog|plugin-page|relay-page)\.ts$/,
      "mcp",
      "the page of an MCP server is part of its section",
    ],
    [
      /^views\/(add-worker|worker-arrivals)\.tsx$|^views\/client\/(arrival|first-answer|worker-setup)\.ts$/,
      "*",
      "people choose what they start, and what a new worker is asked depends on it",
    ],
    [
      /^src\/(join\/(lines|openapi)|service\/intent|cli\/commands)\.ts$/,
      "*",
      "the lines that start workers name their kinds, which are the ids of plugins",
    ],
  ];
  const toPattern = (place: string): RegExp =>
    new RegExp(
      `^${place.replace(/[.]/g, "\\.").replace(/<(try-)?\w+>/g, "$1[\\w-]+")}${place.endsWith("/") ? "" : "$"}`,
    );
  const withoutComments = (code: string): string => code.replace(/\/\*.*?\*\//gs, "").replace(/(^|\s)\/\/.*$/gm, "");
  const ids = KNOWN_PLUGINS.map(({ id }) => id);

  async function codeFiles(): Promise<readonly (readonly [path: string, code: string])[]> {
    const paths = [...new Bun.Glob("{src,views}/**/*.{ts,tsx}").scanSync({ cwd: ROOT })].map((path) =>
      path.replaceAll("\\", "/"),
    );
    return Promise.all(paths.map(async (path) => [path, withoutComments(await read(path))] as const));
  }

  /** The scripts of the playground's panels, as its module registers them. */
  async function panelFiles(): Promise<readonly string[]> {
    const app = await read("views/client/playground-page.ts");
    const html = await (await server.fetch("/api/state/view/playground.html")).text();
    const components = [...html.matchAll(/x-data="(\w+)"/g)].map(([, name = ""]) => name);
    const creators = components.map(
      (name) => new RegExp(`alpine\\.data\\("${name}", (\\w+)\\(tools\\)`).exec(app)?.[1] ?? name,
    );
    const imported = creators.map((name) => new RegExp(`import { ${name} } from "\\./([^"]+)"`).exec(app)?.[1] ?? "");
    const scripts = [...new Set(imported.filter((name) => name.startsWith("try-")))];
    return scripts.length === 0
      ? []
      : ["views/client/playground-page.ts", ...scripts.map((name) => `views/client/${name}`)];
  }

  test("are six at most", () => {
    expect(PLACES.length).toBeGreaterThan(0);
    expect(PLACES.length).toBeLessThanOrEqual(6);
  });

  test.each(ids)("are the only ones that name %s", async (id) => {
    server = new TestServer({ plugins: ids });
    const naming = new RegExp(
      `["'\`]${id}["'\`]|["'\`./]plugins/${id}/|/api/${id}\\b|plugins\\.${id}\\b|["'\`]\\./${id}\\.ts["'\`]`,
    );
    const outside = (await codeFiles())
      .filter(([path, code]) => !path.startsWith(`src/plugins/${id}/`) && naming.test(code))
      .map(([path]) => path)
      .filter((path) => !EXCEPTIONS.some(([file, plugin]) => file.test(path) && (plugin === "*" || plugin === id)));
    const touched = [...new Set([...outside, ...(await panelFiles())])];
    await server.stop();
    expect(touched).toContain("src/plugins.ts");
    if (KINDS.has(id)) expect(touched).toContain("src/worker/kinds.ts");
    expect(touched.filter((path) => !PLACES.some((place) => toPattern(place).test(path)))).toEqual([]);
    // Its pages in docs/ are one more place.
    const places = PLACES.filter((place) => place === "docs/" || touched.some((path) => toPattern(place).test(path)));
    expect(places.length).toBeLessThanOrEqual(6);
  });

  test("has no exception that nothing needs any more", async () => {
    const files = await codeFiles();
    const unused = EXCEPTIONS.filter(([file, plugin]) => {
      const named = plugin === "*" ? ids : [plugin];
      return !files.some(
        ([path, code]) => file.test(path) && named.some((id) => new RegExp(`["'\`/]${id}\\b`).test(code)),
      );
    });
    expect(unused).toEqual([]);
  });
});
