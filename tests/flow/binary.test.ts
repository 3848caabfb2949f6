import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { buildBinary, hostTarget, makeAssets } from "../../scripts/binaries/build-binary.ts";
import { createAssets } from "../../src/state/assets.ts";
import { packageFile } from "../../src/system/browser-files.ts";
import { VERSION } from "../../src/system/version.ts";
import { lacks, type Need } from "../support/lacks.ts";
import { ProgramRun } from "../support/program-run.ts";
import { startBackend } from "../support/test-worker.ts";

const target = hostTarget();
const supportedTarget: Need = {
  name: `binary for ${process.platform}-${process.arch}`,
  isThere: () => target !== undefined,
  mayLack: "binaries are built for other machines only",
};

const KEYS = { API_KEY: "binary-api-key", CLIENT_KEY: "binary-client-key" };
const bearer = { authorization: `Bearer ${KEYS.API_KEY}` };
const STDIO_SERVER = join(import.meta.dir, "../support/stdio-mcp-server.ts");

describe.skipIf(lacks("binaries", supportedTarget))("with the binary alone in a directory with a foreign .env,", () => {
  let folder = "";
  /** The programs' working directory, with a `.env` file that would keep them from starting if it were read. */
  let empty = "";
  let path = "";
  let server: ProgramRun;
  let url = "";
  const running: { stop(): unknown }[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "moorage-binary-"));
    empty = join(folder, "empty");
    await mkdir(empty);
    await Bun.write(join(empty, ".env"), "QUEUE_SIZE=many\nMAX_CONCURRENCY=none\n");
    const host = target ?? expect.unreachable();
    const assets = await makeAssets();
    path = (await buildBinary(host, folder, assets)).path;
    assets.remove();
    server = new ProgramRun([path, "serve"], { ...KEYS, PORT: "0", HOST: "127.0.0.1" }, empty);
    running.push(server);
    url = await server.url();
  });
  afterAll(async () => {
    for (const each of running.reverse()) await each.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const get = (path: string): Promise<Response> => fetch(url + path, { headers: bearer });

  async function worker(args: readonly string[], more: Record<string, string> = {}): Promise<ProgramRun> {
    const run = new ProgramRun(
      [path, "worker", ...args, "--server", url],
      { CLIENT_KEY: KEYS.CLIENT_KEY, ...more },
      empty,
    );
    running.push(run);
    await run.event("link.opened");
    return run;
  }

  test("it prints its version, also under its former names, and leaves no other file in the folder", async () => {
    const names = join(folder, "names");
    await mkdir(names);
    for (const [name, printed] of [
      ["moorage", VERSION],
      ["moorage-server", `moorage ${VERSION}`],
      ["moorage-worker", `moorage worker ${VERSION}`],
    ] as const) {
      await symlink(path, join(names, name));
      const run = new ProgramRun([join(names, name), "--version"], {}, empty);
      expect(await run.exited).toBe(0);
      expect(await run.output).toBe(`${printed}\n`);
    }
    expect([...new Bun.Glob("*").scanSync(folder)]).toEqual([basename(path)]);
  });

  test("the server serves the dashboard with the same files as the sources", async () => {
    const page = await get("/state");
    expect(page.status).toBe(200);
    const html = await page.text();
    const { page: named, names, path: pathOf } = createAssets();
    for (const each of [named.theme, named.script, ...named.preloads, ...named.styles]) expect(html).toContain(each);
    // The paths contain a hash of all files, so equal paths mean equal files.
    for (const name of names) expect((await get(pathOf(name))).status).toBe(200);
  });

  test("the server describes its API, and Swagger UI loads from the binary", async () => {
    const document = (await (await get("/api/client/openapi.json")).json()) as { info: object; paths: object }; // As OpenAPI has it.
    expect(document.info).toMatchObject({ version: VERSION });
    expect(Object.keys(document.paths)).toContain("/v1/chat/completions");
    const html = await (await get("/api/client/")).text();
    const paths = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path = ""]) => path);
    expect(paths).toHaveLength(4);
    for (const path of paths) {
      const answer = await get(path);
      expect(answer.status).toBe(200);
      expect((await answer.bytes()).length).toBeGreaterThan(100);
    }
    const script = await (await get("/api/client/swagger-ui-bundle.js")).text();
    expect(script).toBe(readFileSync(packageFile("swagger-ui-bundle.js"), "utf8"));
  });

  test("the server serves metrics, and 404 for unknown paths", async () => {
    expect(await (await get("/metrics")).text()).toContain("moorage_");
    expect((await fetch(`${url}/v1/models`)).status).toBe(401);
    expect(await (await get("/nowhere")).json()).toMatchObject({ error: { code: "unknown_url" } });
  });

  test("it has the commands for operators", async () => {
    const run = async (...args: string[]) => {
      const child = Bun.spawn([path, ...args], {
        cwd: empty,
        env: { DATA_DIR: join(folder, "data") },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      const [out, code] = await Promise.all([child.stdout.text(), child.exited]);
      return { out, code };
    };
    const made = await run("keys", "create", "lead", "--kind", "admin");
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^mk_/) });
    expect((await run("keys", "list")).out).toContain("lead");
    expect((await run("audit")).out).toContain("key.create");
    expect((await run("usage", "--help")).out).toContain("Usage: moorage usage");
    expect((await run("backup", join(folder, "data", "copy.db"))).code).toBe(0);
  });

  test("a streamed chat passes through server and worker, chunk by chunk", async () => {
    const more = Promise.withResolvers<void>();
    const encode = new TextEncoder();
    const backend = startBackend(() => {
      async function* chunks(): AsyncGenerator<Uint8Array> {
        yield encode.encode('data: {"choices":[{"delta":{"content":"one"}}]}\n\n');
        await more.promise;
        yield encode.encode("data: [DONE]\n\n");
      }
      return new Response(chunks(), { headers: { "content-type": "text/event-stream" } });
    });
    running.push(backend);
    await worker(["llm", "--backend", backend.url]);
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { ...bearer, "content-type": "application/json" },
      body: JSON.stringify({ model: "m", stream: true, messages: [{ role: "user", content: "?" }] }),
    });
    let text = "";
    for await (const bytes of answer.body ?? expect.unreachable()) {
      text += Buffer.from(bytes).toString();
      // The backend sends no more before its first word has arrived.
      if (text.includes("one")) more.resolve();
    }
    expect(text).toEndWith("data: [DONE]\n\n");
  });

  test("a recording passes through server and worker", async () => {
    const backend = startBackend(async (request) => {
      const file = (await request.formData()).get("file");
      return Response.json({ text: `${file instanceof Blob ? file.size : "no"} bytes` });
    });
    running.push(backend);
    await worker(["asr", "--backend", backend.url]);
    const form = new FormData();
    form.set("file", new Blob([new Uint8Array(3_000_000)]), "a.wav");
    form.set("model", "m");
    const answer = await fetch(`${url}/v1/audio/transcriptions`, { method: "POST", headers: bearer, body: form });
    expect(await answer.json()).toEqual({ text: "3000000 bytes" });
  });

  test("an MCP server that the worker starts is called through both", async () => {
    const command = `${process.execPath} ${STDIO_SERVER} moorage-binary-test-${process.pid}`;
    await worker(["mcp", "--id", "tools", "--stdio", command], { PATH: process.env["PATH"] ?? "" });
    const answer = await fetch(`${url}/api/mcp/id/tools`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 0,
        method: "initialize",
        params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "c", version: "1" } },
      }),
    });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('"serverInfo":{"name":"t"');
  });

  test("invalid settings end it with 78, and SIGTERM ends server and workers with 0", async () => {
    for (const args of [
      ["serve", "--port", "70000"],
      ["worker", "llm", "--server", "ftp://x"],
    ])
      expect(await new ProgramRun([path, ...args], {}, empty).exited).toBe(78);
    for (const each of running.filter((run) => run instanceof ProgramRun).reverse()) expect(await each.stop()).toBe(0);
  });
});
