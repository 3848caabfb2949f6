import { afterEach, describe, expect, test } from "bun:test";
import { TestServer } from "../../support/test-server.ts";

let server: TestServer;

afterEach(async () => {
  await server.stop();
});

/** The form of the answer for programs. */
interface Facts {
  readonly name: string;
  readonly version: string;
  readonly base_url: string;
  readonly links: Readonly<Record<string, string>>;
}

const HTML = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

describe("the root of a server", () => {
  test("is a page for browsers, with the ways from there and no script in it", async () => {
    server = new TestServer();
    const response = await fetch(server.url, { headers: HTML });
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const text = await response.text();
    for (const href of ["/state", "/join", "/api/client/"]) expect(text).toContain(`href="${href}"`);
    expect(text).toContain(`${server.url}/v1`);
    expect(text).toContain("Authorization: Bearer $API_KEY");
    expect(text).not.toMatch(/<script(?![^>]* src=)|style=|onclick/);
  });

  test("asks for no key where the server does not", async () => {
    server = new TestServer({ apiKeys: [] });
    const text = await (await fetch(server.url, { headers: HTML })).text();
    expect(text).toContain("This server asks for no key.");
    expect(text).not.toContain("API_KEY");
  });

  test("is JSON for programs, whose links all lead somewhere", async () => {
    server = new TestServer();
    const facts = (await (await fetch(server.url)).json()) as Facts; // The test says whether it is so.
    expect(facts).toEqual({
      name: "moorage",
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      base_url: `${server.url}/v1`,
      links: expect.any(Object),
    });
    for (const [name, href] of Object.entries(facts.links)) {
      const { status } = await fetch(href, { headers: HTML });
      expect([name, status]).toEqual([name, name === "models" ? 401 : 200]);
    }
  });

  test("answers HEAD, and 304 to a client that has the page", async () => {
    server = new TestServer();
    const head = await fetch(server.url, { method: "HEAD", headers: HTML });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    const etag = head.headers.get("etag") ?? "";
    expect((await fetch(server.url, { headers: { ...HTML, "if-none-match": etag } })).status).toBe(304);
    // The other form has another tag.
    expect((await fetch(server.url, { headers: { "if-none-match": etag } })).status).toBe(200);
    expect(head.headers.get("vary")).toContain("accept");
    expect((await fetch(server.url, { method: "POST" })).status).toBe(405);
  });

  test("names PUBLIC_URL, whatever the request calls the server", async () => {
    server = new TestServer({ publicUrl: "https://moorage.example" });
    const { base_url } = (await (await fetch(server.url)).json()) as Facts; // The server's own form.
    expect(base_url).toBe("https://moorage.example/v1");
  });
});

test("crawlers may read the front page, which is not to be listed, and nothing else", async () => {
  server = new TestServer();
  const robots = await fetch(`${server.url}/robots.txt`);
  expect(robots.headers.get("content-type")).toContain("text/plain");
  expect(await robots.text()).toBe("User-agent: *\nAllow: /$\nDisallow: /\n");
  expect(await (await fetch(server.url, { headers: HTML })).text()).toContain('name="robots" content="noindex"');
});

test("the icon is an ICO file, which browsers may keep", async () => {
  server = new TestServer();
  const icon = await fetch(`${server.url}/favicon.ico`);
  expect(icon.headers.get("content-type")).toBe("image/x-icon");
  expect(icon.headers.get("cache-control")).toContain("max-age");
  const bytes = await icon.bytes();
  // An icon of one image, which is a PNG.
  expect([...bytes.slice(0, 6)]).toEqual([0, 0, 1, 0, 1, 0]);
  expect([...bytes.slice(22, 26)]).toEqual([0x89, 0x50, 0x4e, 0x47]);
});
