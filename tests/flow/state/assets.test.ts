import { afterAll, describe, expect, test } from "bun:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { FakeClock } from "../../support/fake-clock.ts";
import { TestServer } from "../../support/test-server.ts";

const server = new TestServer({ plugins: ["llm", "asr", "mcp", "transfer"], apiKeys: [] });
afterAll(() => server.stop());

/** As it comes over the wire, for a client that takes these encodings. */
const fetchPacked = (path: string, encodings: string, init: RequestInit = {}): Promise<Response> =>
  fetch(server.url + path, { ...init, headers: { "accept-encoding": encodings }, decompress: false });

async function pageOf(from: TestServer): Promise<string> {
  return (await fetch(`${from.url}/state`)).text();
}

/** Every path that the page names in a tag of its own. */
function assetsOf(html: string): readonly string[] {
  return [...html.matchAll(/(?:src|href)="(\/state\/assets\/[^"]+)"/g)].map(([, path = ""]) => path);
}

const UNPACK: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  br: brotliDecompressSync,
  gzip: gunzipSync,
};

describe("each file that the dashboard loads", () => {
  test("exists with its type, may be cached forever, and is compressed as the client accepts", async () => {
    const paths = assetsOf(await pageOf(server));
    expect(paths.map((path) => path.split("/")[4])).toEqual(
      expect.arrayContaining(["app.ts", "alpine.js", "uplot.js", "uplot.css", "app.css", "theme.ts"]),
    );
    for (const path of paths) {
      const plain = await fetchPacked(path, "identity");
      expect(plain.status).toBe(200);
      expect(plain.headers.get("content-encoding")).toBeNull();
      expect(plain.headers.get("content-type")).toBe(
        path.endsWith(".css") ? "text/css; charset=utf-8" : "text/javascript; charset=utf-8",
      );
      expect(plain.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      const content = await plain.bytes();
      for (const [encoding, unpack] of Object.entries(UNPACK)) {
        const answer = await fetchPacked(path, encoding);
        expect(answer.headers.get("content-encoding")).toBe(encoding);
        expect(Buffer.from(unpack(await answer.bytes())).equals(content)).toBe(true);
      }
    }
  });

  test.each(["br", "gzip"])(
    "adds up, with the page itself and compressed by %s, to less than 100 KiB",
    async (encoding) => {
      const bytes = [];
      for (const path of ["/state", ...assetsOf(await pageOf(server))]) {
        bytes.push((await (await fetchPacked(path, `gzip, ${encoding}`)).bytes()).length);
      }
      expect(bytes.length).toBeGreaterThan(10);
      expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThan(100 * 1024);
    },
  );
});

describe("a path that is no file of the dashboard", () => {
  const hash = async (): Promise<string> => assetsOf(await pageOf(server))[0]?.split("/")[3] ?? "";

  test.each(["none.ts", "..%2flayout.tsx", "%2e%2e%2f%2e%2e%2fpackage.json", "constructor", "state-types.ts", "%00"])(
    "is not found: %s",
    async (name) => {
      const answer = await fetch(`${server.url}/state/assets/${await hash()}/${name}`);
      expect(answer.status).toBe(404);
      expect(await answer.json()).toMatchObject({ error: { code: "unknown_url" } });
    },
  );

  test("is not found under the hash of another version", async () => {
    const answer = await fetch(`${server.url}/state/assets/0123456789abcdef/app.ts`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ error: { code: "unknown_url" } });
    // Else a browser would keep the answer for ever.
    expect(answer.headers.get("cache-control")).not.toContain("immutable");
  });

  test("cannot be written", async () => {
    const answer = await fetch(`${server.url}/state/assets/${await hash()}/app.ts`, { method: "POST" });
    expect(answer.status).toBe(405);
    expect(answer.headers.get("allow")).toBe("GET, HEAD, OPTIONS");
  });
});

describe("the dashboard's page", () => {
  test("runs only its own files, and may ask for no device but the microphone", async () => {
    const { headers } = await fetch(`${server.url}/state`);
    expect(headers.get("content-security-policy")?.split("; ")).toEqual([
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data:",
      "connect-src 'self'",
      "media-src 'self' blob:",
      "form-action 'self'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ]);
    expect(headers.get("permissions-policy")).toContain("microphone=(self)");
    expect(headers.get("cache-control")).toBe("no-store");
  });

  test("is compressed for clients that accept compression", async () => {
    const packed = await fetchPacked("/state", "gzip");
    expect(packed.headers.get("content-encoding")).toBe("gzip");
    expect(packed.headers.get("vary")).toContain("accept-encoding");
    expect(Buffer.from(gunzipSync(await packed.bytes())).toString()).toStartWith("<!doctype html>");
    const plain = await fetchPacked("/state", "gzip;q=0");
    expect(plain.headers.get("content-encoding")).toBeNull();
    expect(await plain.text()).toStartWith("<!doctype html>");
  });

  test("embeds the server's state as data that no worker's name can break out of", async () => {
    const clock = new FakeClock();
    const hostile = new TestServer({ apiKeys: [], pingIntervalMs: 3_600_000 }, { clock });
    const worker = await hostile.worker({ worker_name: "</script><script>alert(1)</script>" });
    // Nothing passes in real time, so no answer to a ping can: the problem that names the worker.
    clock.advance(2 * 3_600_000 + 2000);
    const html = await pageOf(hostile);
    expect(html).not.toContain("<script>alert");
    const boot = /<script type="application\/json" id="boot">(.*?)<\/script>/.exec(html)?.[1] ?? "";
    expect(boot).toContain("\\u003c/script>\\u003cscript>alert(1)");
    const { problems } = JSON.parse(boot) as { problems: { code: string; title: string }[] }; // As documented.
    expect(problems.find(({ code }) => code === "worker_stale")?.title).toContain("</script><script>");
    worker.close();
    await hostile.stop();
  });
});
