import { afterAll, describe, expect, test } from "bun:test";
import { ClientDocuments, readClientId } from "../../src/oauth/client-documents.ts";
import { type FetchGuard, fetchGuarded, PUBLIC_ONLY } from "../../src/oauth/guarded-fetch.ts";
import { isPublicAddress } from "../../src/oauth/public-address.ts";
import { silentLog } from "../../src/system/log.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { OAuthRig } from "../support/oauth-rig.ts";
import { createSelfSigned } from "../support/self-signed.ts";

const certificate = createSelfSigned(2);
const documents = new Map<string, () => Response>();
const asked: string[] = [];
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  tls: { key: certificate.key, cert: certificate.cert },
  fetch(request) {
    const { pathname } = new URL(request.url);
    asked.push(`${request.headers.get("host")}${pathname}`);
    return documents.get(pathname)?.() ?? new Response("not here", { status: 404 });
  },
});
afterAll(() => {
  certificate.remove();
  return server.stop(true);
});

/** Leads every name to the test's server, and takes it for a public one. */
const HERE: FetchGuard = {
  resolve: () => Promise.resolve(["127.0.0.1"]),
  mayConnect: () => true,
  authority: certificate.cert,
};
const ID = `https://localhost:${server.port}/client.json`;
const DOCUMENT = {
  client_id: ID,
  client_name: "Published client",
  redirect_uris: ["http://127.0.0.1:33418/callback"],
  token_endpoint_auth_method: "none",
};

const create = (guard = HERE, clock = new FakeClock()) => new ClientDocuments({ clock, log: silentLog, guard });
const serve = (document: unknown, init: ResponseInit = {}) =>
  documents.set("/client.json", () =>
    typeof document === "string" ? new Response(document, init) : Response.json(document, init),
  );

describe("an address", () => {
  test.each([
    [
      "127.0.0.1",
      "10.1.2.3",
      "172.16.0.1",
      "172.31.255.255",
      "192.168.1.1",
      "169.254.169.254",
      "100.64.0.1",
      "0.0.0.0",
    ],
    [
      "224.0.0.1",
      "255.255.255.255",
      "192.0.2.1",
      "198.18.0.1",
      "::1",
      "::",
      "fe80::1",
      "fc00::1",
      "fd12::1",
      "ff02::1",
    ],
    ["::ffff:10.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "2001:db8::1", "2002:a00:1::", "2001::1", "localhost", ""],
  ])("of a private network, of this machine or of no network is not public: %s …", (...addresses) => {
    expect(addresses.filter((each) => isPublicAddress(String(each)))).toEqual([]);
  });

  test("of the internet is public", () => {
    const some = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1"];
    expect(some.filter((each) => !isPublicAddress(each))).toEqual([]);
  });
});

describe("the document of a client", () => {
  test("is never fetched from an address that is not public, whatever its name is", async () => {
    asked.length = 0;
    for (const host of ["127.0.0.1", "[::1]", "localhost", "10.0.0.1"])
      await expect(fetchGuarded(new URL(`https://${host}:${server.port}/client.json`), PUBLIC_ONLY)).rejects.toThrow(
        "not one that this server connects to",
      );
    const named = { ...PUBLIC_ONLY, resolve: () => Promise.resolve(["8.8.8.8", "127.0.0.1"]) };
    await expect(fetchGuarded(new URL("https://rebinding.example/client.json"), named)).rejects.toThrow("connects to");
    await expect(fetchGuarded(new URL("https://8.8.8.8:22/client.json"), PUBLIC_ONLY)).rejects.toThrow("connects to");
    expect(asked).toEqual([]);
  });

  test("is fetched from the address that was checked, with the name in the certificate", async () => {
    serve(DOCUMENT);
    let looked = 0;
    const guard = {
      ...HERE,
      resolve: () => {
        looked += 1;
        return Promise.resolve(["127.0.0.1"]);
      },
    };
    expect((await fetchGuarded(new URL(ID), guard)).text).toBe(JSON.stringify(DOCUMENT));
    expect(looked).toBe(1);
    await expect(fetchGuarded(new URL(`https://other.example:${server.port}/client.json`), guard)).rejects.toThrow();
  });

  test("is not looked for behind a redirect, and not read beyond 64 KiB", async () => {
    documents.set("/client.json", () => Response.redirect(`https://localhost:${server.port}/other.json`));
    await expect(fetchGuarded(new URL(ID), HERE)).rejects.toThrow("status 302");
    serve("x".repeat(70_000));
    await expect(fetchGuarded(new URL(ID), HERE)).rejects.toThrow("too long");
  });

  test.each([
    ["that names another client", { ...DOCUMENT, client_id: `${ID}x` }],
    ["without a redirect URI", { ...DOCUMENT, redirect_uris: [] }],
    ["with a script as its redirect URI", { ...DOCUMENT, redirect_uris: ["javascript:alert(1)"] }],
    ["with a redirect to plain http", { ...DOCUMENT, redirect_uris: ["http://evil.example/"] }],
    ["without a name", { ...DOCUMENT, client_name: undefined }],
    ["that demands a key of its own", { ...DOCUMENT, token_endpoint_auth_method: "private_key_jwt" }],
    ["that is no JSON", "<html>"],
  ])("%s describes nobody", async (_what, document) => {
    serve(document);
    expect(await create().find(ID)).toBeUndefined();
  });

  test("is kept for minutes, and a failure for seconds", async () => {
    const clock = new FakeClock();
    const found = create(HERE, clock);
    serve("broken");
    expect(await found.find(ID)).toBeUndefined();
    serve(DOCUMENT);
    expect(await found.find(ID)).toBeUndefined();
    clock.advance(15_000);
    expect(await found.find(ID)).toContain("Published client");
    asked.length = 0;
    clock.advance(4 * 60_000);
    expect(await found.find(ID)).toContain("Published client");
    expect(asked).toEqual([]);
    clock.advance(60_000);
    await found.find(ID);
    expect(asked).toHaveLength(1);
  });

  test("counts as it was for seven days while it cannot be had, and no longer than it is there", async () => {
    const clock = new FakeClock();
    const found = create(HERE, clock);
    serve(DOCUMENT);
    expect(await found.find(ID)).toContain("Published client");
    for (const status of [500, 503, 429]) {
      serve("busy", { status });
      clock.advance(24 * 60 * 60_000);
      expect(await found.find(ID)).toContain("Published client");
    }
    clock.advance(4 * 24 * 60 * 60_000);
    await expect(found.find(ID)).rejects.toThrow("document");

    serve(DOCUMENT);
    clock.advance(15_000);
    expect(await found.find(ID)).toContain("Published client");
    documents.delete("/client.json");
    clock.advance(5 * 60_000);
    expect(await found.find(ID)).toBeUndefined();
    serve("busy", { status: 503 });
    clock.advance(15_000);
    await expect(found.find(ID)).rejects.toThrow("document");
  });

  test("that cannot be had now costs no program its access", async () => {
    serve(DOCUMENT);
    let found = create();
    const rig = new OAuthRig({ clientAt: (url) => found.find(url) });
    const { clientId, tokens } = await rig.signIn({ client_id: ID });
    // A restart has forgotten the document.
    found = create({ ...HERE, resolve: () => Promise.reject(new Error("no route to the resolver")) });
    const away = await rig.refresh(clientId, tokens.refresh_token);
    expect([away.status, await away.json()]).toMatchObject([503, { error: "temporarily_unavailable" }]);
    expect(away.headers.get("retry-after")).toBe("5");
    expect((await rig.open({ client_id: ID })).page.status).toBe(503);
    found = create();
    expect((await rig.refresh(clientId, tokens.refresh_token)).status).toBe(200);
  });

  test.each([
    "http://client.example/a.json",
    "https://client.example/",
    "https://client.example",
    "https://user@client.example/a.json",
    "https://client.example/a/../b.json",
    "https://client.example/a.json#x",
    `https://client.example/${"a".repeat(600)}`,
    "client",
  ])("has no id such as %p", (id) => {
    expect(readClientId(id)).toBeUndefined();
  });

  test("lets its client in by its domain, which the page names", async () => {
    serve(DOCUMENT);
    const found = create();
    const rig = new OAuthRig({ clientAt: (url) => found.find(url) });
    const metadata = (await (await rig.handle("/.well-known/oauth-authorization-server")).json()) as object;
    expect(metadata).toMatchObject({ client_id_metadata_document_supported: true });
    const { page } = await rig.open({ client_id: ID });
    expect(await page.text()).toContain("It is published by <strong>localhost</strong>");
    const { tokens } = await rig.signIn({ client_id: ID });
    expect(await rig.verify(tokens.access_token)).toMatchObject({ clientName: "Published client" });
  });
});
