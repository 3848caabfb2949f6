import { afterAll, describe, expect, test } from "bun:test";
import type { JoinFacts } from "../../../src/join/facts.ts";
import { VERSION } from "../../../src/system/version.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../../support/test-server.ts";

const BYTES = new Uint8Array(200_000).map((_, index) => index * 31);
let packed = 0;
const pack = async (): Promise<{ readonly bytes: Uint8Array }> => {
  packed += 1;
  return { bytes: BYTES };
};

const server = new TestServer({ plugins: ["llm", "mcp"] }, {}, undefined, undefined, undefined, undefined, pack);
const named = new TestServer(
  { publicUrl: "https://moorage.example.com" },
  {},
  undefined,
  undefined,
  undefined,
  undefined,
  pack,
);
afterAll(async () => {
  await server.stop();
  await named.stop();
});

const TARBALL = `/join/moorage-${VERSION}.tgz`;

describe("the package", () => {
  test("is handed out without a key, and only once made", async () => {
    const answers = await Promise.all([1, 2, 3].map(() => fetch(server.url + TARBALL)));
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get("content-type")).toBe("application/gzip");
      expect(answer.headers.get("cache-control")).toBe("public, max-age=3600");
      expect(await answer.bytes()).toEqual(BYTES);
    }
    expect(packed).toBe(1);
  });

  test("answers HEAD with its size, and 304 to who has it", async () => {
    const head = await fetch(server.url + TARBALL, { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe(String(BYTES.length));
    const etag = head.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const again = await fetch(server.url + TARBALL, { headers: { "if-none-match": known } });
      expect(again.status).toBe(304);
      expect(again.headers.get("etag")).toBe(etag);
    }
    const other = await fetch(server.url + TARBALL, { headers: { "if-none-match": '"other"' } });
    expect(other.status).toBe(200);
  });

  test("has an address without a version, which leads to the other one and is never kept", async () => {
    const answer = await fetch(`${server.url}/join/moorage.tgz`, { redirect: "manual" });
    expect(answer.status).toBe(302);
    expect(answer.headers.get("location")).toBe(TARBALL);
    expect(answer.headers.get("cache-control")).toBe("no-store");
  });

  test("of another version is not here", async () => {
    const answer = await fetch(`${server.url}/join/moorage-0.0.1.tgz`);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain(`moorage-${VERSION}.tgz`);
    expect((await fetch(`${server.url}/join/..%2fpackage.json`)).status).toBe(404);
    expect((await fetch(server.url + TARBALL, { method: "POST" })).status).toBe(405);
  });

  test("that cannot be made is a 503, which says when to ask again", async () => {
    const broken = new TestServer();
    try {
      const answer = await fetch(broken.url + TARBALL);
      expect(answer.status).toBe(503);
      expect(answer.headers.get("retry-after")).toBe("30");
      expect(await answer.json()).toMatchObject({ error: { code: "package_unavailable" } });
    } finally {
      await broken.stop();
    }
  });
});

describe("the page", () => {
  const ask = (accept: string, from = server.url): Promise<Response> => fetch(`${from}/join`, { headers: { accept } });

  test("is JSON for programs, with a line for each system and kind", async () => {
    const answer = await ask("application/json");
    expect(answer.headers.get("content-type")).toBe("application/json");
    const facts = (await answer.json()) as JoinFacts;
    expect(facts).toMatchObject({
      origin: server.url,
      version: VERSION,
      tarball: server.url + TARBALL,
      needs: "client_key",
    });
    expect(facts.kinds.map(({ kind }) => kind)).toEqual(["llm", "mcp"]);
    for (const { lines } of facts.kinds)
      expect(new Set(lines.map(({ system }) => system))).toEqual(new Set(["windows", "linux", "macos"]));
  });

  test("is text for a terminal, which names the key's variable", async () => {
    const answer = await ask("*/*");
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    const text = await answer.text();
    expect(text).toContain(
      `CLIENT_KEY=your-client-key npx -y ${server.url}${TARBALL} worker llm --server ${server.url}\n`,
    );
    expect(text).toContain(`curl -fsSL ${server.url}/join.sh | CLIENT_KEY=your-client-key sh -s -- worker llm\n`);
    // Who reads this in a terminal rarely has Windows.
    expect([...text.matchAll(/^(?=\S).*(?=:$)/gm)].slice(0, 3).map(String)).toEqual([
      "Linux, macOS (with Node)",
      "Linux, macOS (with Node or Bun)",
      "Windows (PowerShell, with Node or Bun)",
    ]);
  });

  test("is a page for browsers, which loads nothing from elsewhere", async () => {
    const answer = await ask("text/html,application/xhtml+xml,*/*;q=0.8");
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await answer.text();
    expect(html).toContain("<h1>Add a worker</h1>");
    expect(html).toContain(`/join/moorage-${VERSION}.tgz worker llm`);
    expect(html).not.toMatch(/(?:src|href)="https?:/);
  });

  test("names the public URL where there is one, whatever the request says", async () => {
    const headers = { accept: "*/*", host: "evil.example", "x-forwarded-host": "evil.example" };
    for (const path of ["/join", "/join.sh", "/join.ps1"]) {
      const text = await (await fetch(named.url + path, { headers })).text();
      expect(text).toContain("https://moorage.example.com/join");
      expect(text).not.toContain("evil");
    }
  });

  test("needs nothing where workers need no key", async () => {
    const open = new TestServer({ clientKeys: [] });
    try {
      const facts = (await (await ask("application/json", open.url)).json()) as JoinFacts;
      expect(facts.needs).toBe("nothing");
      expect(JSON.stringify(facts)).not.toContain("CLIENT_KEY");
    } finally {
      await open.stop();
    }
  });
});

describe("the scripts", () => {
  test.each(["/join.sh", "/join.ps1"])("%s is text that its reader must ask for again", async (path) => {
    const answer = await fetch(server.url + path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(answer.headers.get("cache-control")).toBe("private, no-cache");
    expect(answer.headers.get("vary")).toBe("host, x-forwarded-host, x-forwarded-proto");
    expect(await answer.text()).toContain(`${server.url}/join/moorage-${VERSION}.tgz`);
    const etag = answer.headers.get("etag") ?? "";
    expect((await fetch(server.url + path, { headers: { "if-none-match": etag } })).status).toBe(304);
    expect((await fetch(server.url + path, { method: "HEAD" })).status).toBe(200);
    // The same text under another name is another text.
    const other = await fetch(server.url + path, { headers: { "if-none-match": etag, host: "other.test" } });
    expect(other.status).toBe(200);
    expect(await other.text()).toContain("http://other.test/join");
  });

  test("name what a trusted proxy says", async () => {
    const headers = { "x-forwarded-proto": "https", "x-forwarded-host": "gpu.example.com" };
    expect(await (await fetch(`${server.url}/join.sh`, { headers })).text()).toContain(
      "origin=https://gpu.example.com\n",
    );
    const wary = new TestServer({ trustedProxies: [] });
    try {
      expect(await (await fetch(`${wary.url}/join.sh`, { headers })).text()).toContain(`origin=${wary.url}\n`);
    } finally {
      await wary.stop();
    }
  });
});

test("no answer contains a key of the server", async () => {
  for (const path of ["/join", "/join.sh", "/join.ps1", TARBALL])
    for (const accept of ["*/*", "text/html", "application/json"]) {
      const text = await (await fetch(server.url + path, { headers: { accept } })).text();
      expect(text).not.toContain(API_KEY);
      expect(text).not.toContain(CLIENT_KEY);
    }
});
