import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { createLog } from "../../src/system/log.ts";
import { RawClient } from "../support/raw-client.ts";
import { TestServer } from "../support/test-server.ts";

let server: TestServer | undefined;
afterEach(async () => {
  await server?.stop();
  server = undefined;
});

/** Text that ends a line, clears a terminal, ends a label, or opens a tag. */
const NASTY =
  'x"\n{"level":"error","event":"forged"}\r\n\u001b[2J\u009b31m\u2028} 1\n# HELP forged 1\n<img src=x onerror=alert(1)>';

describe("a worker's name", () => {
  test.each(["json", "pretty"] as const)("adds no second line and no terminal code to a %s log", async (format) => {
    const lines: string[] = [];
    const log = createLog({ level: "debug", format, now: Date.now, write: (line) => void lines.push(line) });
    server = new TestServer({}, { log });
    const worker = await server.worker({ worker_name: NASTY, version: NASTY, agent_config: { os: NASTY } });
    worker.sendText({ type: "status_update", status: "not_ready", reason: NASTY });
    await server.fetch("/api/state");
    worker.close();
    await worker.closed;
    await server.fetch("/healthz");
    expect(lines.length).toBeGreaterThan(0);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    for (const line of lines) expect(line).not.toMatch(/[\n\r\u009b\u2028]|\u001b\[2J/);
  });

  test("adds no metric and no label", async () => {
    server = new TestServer();
    const model = 'm"} 1 \\ {a="b';
    const worker = await server.worker({ worker_name: NASTY, models: [model] });
    const asked = server.chat(model);
    worker.answerJson((await worker.request()).id, {});
    await asked;
    const metrics = await (await server.fetch("/metrics")).text();
    expect(metrics).not.toContain("forged");
    expect(metrics).toContain('model="m\\"} 1 \\\\ {a=\\"b"');
    for (const line of metrics.split("\n"))
      expect(line).toMatch(/^(?:#.*|[a-z_0-9]+(?:\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)*\})? \S+|)$/);
  });
});

describe("a worker's answer", () => {
  test("sets no cookie, and no header that governs the server's own pages", async () => {
    server = new TestServer();
    const worker = await server.worker({ models: ["m"] });
    const asked = server.chat("m");
    const { id } = await worker.request();
    worker.head(id, 200, [
      ["content-type", "text/html"],
      ["set-cookie", "moorage=stolen"],
      ["access-control-allow-origin", "*"],
      ["strict-transport-security", "max-age=0"],
      ["clear-site-data", '"*"'],
    ]);
    worker.data(id, "<script>alert(1)</script>", true);
    const answer = await asked;
    for (const name of ["set-cookie", "access-control-allow-origin", "strict-transport-security", "clear-site-data"])
      expect([name, answer.headers.get(name)]).toEqual([name, null]);
    // A browser must not take it for a page of this server.
    expect(answer.headers.get("x-content-type-options")).toBe("nosniff");
  });

  test.each([
    ["x-evil\r\nset-cookie", "a=b"],
    ["x-split", "a\r\nset-cookie: a=b"],
  ])("cannot split the response head by a line break in a header", async (name, value) => {
    server = new TestServer({ queueTimeoutMs: 100 });
    const worker = await server.worker({ models: ["m"] });
    const asked = server.chat("m");
    const { id } = await worker.request();
    worker.head(id, 200, [[name, value]]);
    worker.data(id, "x", true);
    const answer = await asked;
    expect(answer.headers.get("set-cookie")).toBeNull();
    expect(await answer.text()).not.toContain("set-cookie");
  });

  test("reaches only jobs of its own session, whatever ids it names", async () => {
    server = new TestServer();
    const victim = await server.worker({ worker_id: "victim", models: ["m"] });
    const thief = await server.worker({ worker_id: "thief", models: ["other"] });
    const asked = server.chat("m");
    const { id } = await victim.request();
    thief.answerJson(id, { stolen: true });
    // A frame for an exchange that was never opened there ends that session.
    expect((await thief.closed).code).toBe(1002);
    victim.answerJson(id, { right: true });
    expect(await (await asked).json()).toEqual({ right: true });
  });
});

describe("compression", () => {
  test("is not negotiated on worker sockets, so a small frame cannot become a large one", async () => {
    server = new TestServer();
    const client = new RawClient(server.url);
    await client.write(
      "GET /api/llm/connect HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: moorage.v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    );
    const head = (await client.received.take("the answer")).toString("latin1");
    expect(head).toStartWith("HTTP/1.1 101");
    expect(head.toLowerCase()).not.toContain("sec-websocket-extensions");
    await client.kill();
  });

  test.each(["/v1/chat/completions", "/v1/embeddings", "/v1/audio/transcriptions"])(
    "is refused in a body for %s before anything is decompressed",
    async (path) => {
      server = new TestServer({ plugins: ["llm", "asr"] });
      const body = Bun.gzipSync(new Uint8Array(1_000_000));
      const type = path.includes("audio") ? "multipart/form-data; boundary=x" : "application/json";
      const headers = { "content-type": type, "content-encoding": "gzip" };
      expect((await server.fetch(path, { method: "POST", headers, body })).status).toBe(415);
    },
  );
});

test("the server opens no connection but those of its cluster, to its issuer and to public addresses, so nobody can make it reach into its own network", async () => {
  const folder = join(import.meta.dir, "../../src");
  const own = [...new Bun.Glob("**/*.ts").scanSync(folder)].filter(
    (path) => !/^(?:worker|service|demo|doctor)\//.test(path),
  );
  expect(own.length).toBeGreaterThan(100);
  const dials =
    /\bfetch\(|new WebSocket\(|Bun\.connect|node:(?:net|http|https|tls|dgram|dns|child_process)|Bun\.spawn|from "undici"|await connect\(/;
  /**
   * The code that dials in a cluster: a link to another server, whose address NATS has told, and NATS itself. The issuer has
   * the address that the configuration names, and those that it states itself.
   */
  const dialers = new Map([
    ["oidc/issuer.ts", 1],
    ["cluster/links/socket-transport.ts", 1],
    ["cluster/nats/dial.ts", 1],
    // It starts the bundler of its own sources, in a process that talks to nobody.
    ["packing/tarball.ts", 1],
    // It resolves a name and connects to what it has checked: `connector-documents.test.ts`.
    ["oauth/guarded-fetch.ts", 2],
  ]);
  /** Code that compares addresses connects to none. */
  const harmless = /^import \{ (?:BlockList, )?isIP(?:v4, isIPv6)? \} from "node:net";$/;
  for (const path of own) {
    const source = await Bun.file(join(folder, path)).text();
    const found = source
      .split("\n")
      .filter((line) => dials.test(line) && !harmless.test(line) && !/^\s*(?:\/\/|\*)/.test(line));
    // A listener's handler is called fetch too; it gets requests and makes none.
    const dialled = found.filter((line) => !/fetch: \(|fetch\(request/.test(line));
    expect([path, dialled.length]).toEqual([path, dialers.get(path) ?? 0]);
  }
});
