import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Page } from "playwright-core";
import { KeyBook } from "../../src/keys/key-book.ts";
import type { KeyKind } from "../../src/keys/key-entry.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import type { KeyTerms } from "../../src/keys/key-terms.ts";
import { TenantBook } from "../../src/keys/tenant-book.ts";
import { createMemoryTenants } from "../../src/keys/tenant-records.ts";
import { systemClock } from "../../src/system/clock.ts";
import { VERSION } from "../../src/system/version.ts";
import { BrowserPages } from "../support/browser-pages.ts";
import type { Config } from "../support/default-config.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";

setDefaultTimeout(30_000);

const EVIL = `"><img src=x onerror=alert(1)>`;
const BY = { by: "admin-key:1" };
const pages = new BrowserPages();

interface KeyServer {
  readonly server: TestServer;
  readonly book: KeyBook;
  readonly tenants: TenantBook;
  make(name: string, terms?: Partial<KeyTerms>, kind?: KeyKind): { readonly id: string; readonly text: string };
}

function start(overrides: Partial<Config> = {}): KeyServer {
  const book = new KeyBook({ records: createMemoryRecords(), clock: systemClock, maxRequests: 1000 });
  const tenants = new TenantBook({ records: createMemoryTenants(), clock: systemClock });
  const opened = { book, tenants, isKept: true, file: undefined };
  const server = new TestServer({ adminKeys: [API_KEY], ...overrides }, {}, undefined, undefined, undefined, opened);
  pages.running.push(server);
  return {
    server,
    book,
    tenants,
    make(name, terms = {}, kind = "client") {
      const { entry, text } = book.create({ kind, terms: { name, limits: {}, ...terms } }, BY);
      return { id: entry.id, text };
    },
  };
}

const open = ({ server }: KeyServer, options = {}): Promise<Page> => pages.openTab(server.url, "keys", options);
const TABLE = "#tab-keys section[aria-label='Keys']";
const row = (page: Page, name: string) => page.locator(`${TABLE} tbody tr`, { hasText: name });
const statusFor = async ({ server }: KeyServer, key: string): Promise<number> =>
  (await server.fetch("/v1/models", { headers: { authorization: `Bearer ${key}` } })).status;

/** Returns the text of the key that the page has just made. */
async function shownKey(page: Page): Promise<string> {
  const code = page.locator("#key-shown[open] .secret code", { hasText: /^m[kj]_/ });
  return (await code.textContent()) ?? "";
}

test("a key that is created on the page is shown once, and opens what it says", async () => {
  const site = start();
  const page = await open(site);
  await page.waitForSelector("#tab-keys >> text=There are no active keys");
  await page.click("text=New key");
  await page.fill("#key-form [name=name]", "ada");
  await page.fill("#key-form [name=models]", "qwen*");
  await page.fill("#key-form [name=tokens_per_day]", "lots");
  await page.click("#key-form button.main");
  await page.waitForSelector("#key-form [role=alert] >> text=“Tokens per day” must be");
  expect(await page.evaluate("document.activeElement.name")).toBe("tokens_per_day");
  pages.complaints.splice(0); // The browser's word on the 400.
  await page.fill("#key-form [name=tokens_per_day]", "2M");
  await page.keyboard.press("Enter");
  const text = await shownKey(page);
  expect(await statusFor(site, text)).toBe(200);
  await page.waitForSelector("#key-shown >> text=It is not shown again");
  await page.keyboard.press("Escape");
  expect(await page.locator("#key-shown").isVisible()).toBe(true);
  await page.click("#key-shown >> text=Done");
  await row(page, "ada").locator("text=0 of 2 M").waitFor();
  await page.locator("#key-shown .secret code", { hasText: /^$/ }).waitFor({ state: "attached" });
  expect(await page.evaluate("document.documentElement.outerHTML")).not.toContain(text);
  expect(site.book.list()).toMatchObject([{ name: "ada", models: ["qwen*"], limits: { tokensPerDay: 2_000_000 } }]);
});

test("a key is changed, rotated and revoked, each after a dialog", async () => {
  const site = start();
  const { id, text } = site.make("ci", { limits: { parallel: 4 } });
  const page = await open(site);
  await row(page, "ci").locator("button", { hasText: "Edit" }).click();
  expect(await page.inputValue("#key-form [name=parallel]")).toBe("4");
  await page.fill("#key-form [name=parallel]", "8");
  await page.click("#key-form button.main");
  await row(page, "ci").locator("text=0 of 8").waitFor();

  await row(page, "ci").locator("button", { hasText: "Rotate" }).click();
  await page.selectOption("#key-rotate select", "1h");
  await page.click("#key-rotate button.main");
  const next = await shownKey(page);
  expect([await statusFor(site, text), await statusFor(site, next)]).toEqual([200, 200]);
  await page.click("#key-shown >> text=Done");
  await row(page, "ci").locator("text=also mk_").waitFor();

  await row(page, "ci").locator("button", { hasText: "Revoke" }).click();
  await page.waitForSelector("dialog[open] >> text=Revoke this key?");
  await page.keyboard.press("Escape");
  expect(await statusFor(site, next)).toBe(200);
  await row(page, "ci").locator("button", { hasText: "Revoke" }).click();
  await page.click("#ask button.main");
  await row(page, "ci").waitFor({ state: "detached" });
  expect(await statusFor(site, next)).toBe(401);
  await page.selectOption("#keys-status", "revoked");
  await row(page, "ci").locator(".badge", { hasText: "revoked" }).waitFor();
  expect(await row(page, "ci").locator("button:visible", { hasText: "Edit" }).count()).toBe(0);
  expect(site.book.get(id)?.revokedBy).toBe("admin-key:1");
});

test("a name, a tenant and a model are shown as text, whatever they contain", async () => {
  const site = start();
  site.make(EVIL, { tenant: EVIL, models: [`<b>${"x".repeat(200)}`] });
  const page = await open(site);
  await row(page, EVIL).locator("button.name").click();
  await page.waitForSelector("#key-details[open] dd >> text=onerror");
  await page.click("#key-details >> text=Close");
  await row(page, EVIL).locator("button", { hasText: "Revoke" }).click();
  await page.waitForSelector("#ask[open] >> text=onerror");
  await page.keyboard.press("Escape");
  expect(await page.locator("#tab-keys img, #ask img, #tab-keys td b").count()).toBe(0);
  expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBe(0);
});

test("a viewer sees the keys and no way to change them, and the server refuses it as well", async () => {
  const site = start();
  const { id } = site.make("ada");
  const page = await open(site);
  await row(page, "ada").waitFor();
  await page.evaluate(`document.body.dataset.role = "viewer"`);
  expect(await page.locator("#tab-keys .for-admins:visible").count()).toBe(0);
  await row(page, "ada").locator("button.name").click();
  await page.waitForSelector("#key-details[open] >> text=admin-key:1");
  // The key of a client opens neither.
  const { text } = site.make("holder");
  const headers = { authorization: `Bearer ${text}` };
  for (const [path, method] of [
    ["/api/keys", "GET"],
    ["/api/keys", "POST"],
    [`/api/keys/${id}`, "PATCH"],
    [`/api/keys/${id}`, "DELETE"],
    [`/api/keys/${id}/rotate`, "POST"],
  ] as const) {
    const body = method === "POST" || method === "PATCH" ? "{}" : null;
    expect([path, (await site.server.fetch(path, { method, headers, body })).status]).toEqual([path, 401]);
  }
});

test("keys of the file are listed and say where to change them", async () => {
  const site = start();
  site.make("ci");
  const [made] = site.book.list();
  if (!made) throw new Error("no key was made");
  site.book.replaceFile([{ ...made, id: "file:gitops", name: "gitops", source: "file" }]);
  const page = await open(site);
  await row(page, "gitops").locator("text=Change it in the keys file").waitFor();
  expect(await row(page, "gitops").locator("button:visible", { hasText: "Revoke" }).count()).toBe(0);
  expect(await row(page, "ci").locator("button:visible", { hasText: "Revoke" }).count()).toBe(1);
});

test("a key shows what its jobs do now", async () => {
  const site = start();
  const { id, text } = site.make("ada", { limits: { parallel: 1 } });
  await site.server.worker({ max_concurrency: 4 });
  const page = await open(site);
  const headers = { authorization: `Bearer ${text}` };
  const answers = [1, 2, 3].map(() => site.server.chat("m", {}, { headers }));
  await row(page, "ada").locator("text=1 running").waitFor();
  await row(page, "ada").locator("text=2 waiting").waitFor();
  await row(page, "ada").locator("text=2 at a limit").waitFor();
  site.book.revoke(id, BY);
  for (const answer of answers) expect((await answer).status).toBe(401);
});

describe("the limits of tenants", () => {
  const showTenants = (page: Page) => page.locator("#tab-keys .parts button", { hasText: "Tenants" }).click();
  const tenant = (page: Page, name: string) =>
    page.locator("#tab-keys section[aria-label='Tenants'] tbody tr", { hasText: name });

  test("are set, shown with what is used of them, changed and removed on the page", async () => {
    const site = start();
    const { text } = site.make("ada", { tenant: "research" });
    const worker = await site.server.worker({ max_concurrency: 4 });
    const page = await open(site);
    await showTenants(page);
    await page.waitForSelector("#tab-keys >> text=No tenant has limits of its own.");
    await page.click("text=Limit a tenant");
    await page.fill("#tenant-form [name=name]", "research");
    await page.click("#tenant-form button.main");
    await page.waitForSelector("#tenant-form [role=alert] >> text=must have at least one limit");
    await page.fill("#tenant-form [name=tokens_per_day]", "lots");
    await page.click("#tenant-form button.main");
    await page.waitForSelector("#tenant-form [role=alert] >> text=“Tokens per day” must be");
    pages.complaints.splice(0); // The browser's word on the 400s.
    await page.fill("#tenant-form [name=tokens_per_day]", "2M");
    await page.fill("#tenant-form [name=timezone]", "Europe/Berlin");
    await page.keyboard.press("Enter");
    await tenant(page, "research").locator("text=0 of 2 M").waitFor();
    expect(site.tenants.get("research")).toMatchObject({
      limits: { tokensPerDay: 2_000_000, timezone: "Europe/Berlin" },
      changedBy: "admin-key:1",
    });

    const answer = site.server.chat("m", {}, { headers: { authorization: `Bearer ${text}` } });
    const { id } = await worker.request();
    worker.answerJson(id, { choices: [], usage: { prompt_tokens: 1000, completion_tokens: 500 } });
    expect((await answer).status).toBe(200);
    await tenant(page, "research").locator("button", { hasText: "Edit" }).click();
    await page.locator("#tenant-form [name=name]").waitFor({ state: "hidden" });
    expect(await page.inputValue("#tenant-form [name=tokens_per_day]")).toBe("2000000");
    await page.fill("#tenant-form [name=tokens_per_day]", "");
    await page.fill("#tenant-form [name=tokens_per_month]", "50M");
    await page.click("#tenant-form button.main");
    await tenant(page, "research").locator("text=1500 of 50 M").waitFor();
    expect(await tenant(page, "research").locator("meter").count()).toBe(1);

    await tenant(page, "research").locator("button", { hasText: "Remove" }).click();
    await page.waitForSelector("#ask[open] >> text=Remove the limits of this tenant?");
    await page.click("#ask button.main");
    await tenant(page, "research").waitFor({ state: "detached" });
    expect(site.tenants.list()).toEqual([]);
  });

  test("are seen by viewers, who cannot change them, and of the keys file can be changed there only", async () => {
    const site = start();
    site.tenants.set("research", { parallel: 8 }, "cli");
    const entry = { limits: { parallel: 2 }, source: "file" as const, changedAt: Date.now(), changedBy: "KEYS_FILE" };
    site.tenants.replaceFile([{ ...entry, name: EVIL }]);
    const page = await open(site);
    await showTenants(page);
    await tenant(page, "research").locator("text=0 of 8").waitFor();
    await tenant(page, EVIL).locator("text=Change it in the keys file").waitFor();
    expect(await page.locator("#tab-keys section[aria-label='Tenants'] button.small:visible").count()).toBe(2);
    expect(await page.locator("#tab-keys img").count()).toBe(0);
    await page.evaluate(`document.body.dataset.role = "viewer"`);
    expect(await page.locator("#tab-keys .for-admins:visible").count()).toBe(0);
    await tenant(page, "research").locator("text=0 of 8").waitFor();
  });
});

test("the audit trail lists who has changed which key", async () => {
  const site = start();
  const { id } = site.make("ada");
  const page = await open(site);
  await row(page, "ada").locator("button", { hasText: "Revoke" }).click();
  await page.click("#ask button.main");
  await page.locator("#tab-keys .parts button", { hasText: "Audit trail" }).click();
  const entry = page.locator("section[aria-label='What operators did'] tbody tr", { hasText: "key.revoke" });
  await entry.filter({ hasText: id }).locator("text=name ada").waitFor();
  await page.locator("section[aria-label='What operators did'] tbody tr", { hasText: "sign_in" }).waitFor();
});

test("a server that keeps no keys explains how to get some", async () => {
  const server = new TestServer();
  pages.running.push(server);
  const page = await pages.openTab(server.url, "keys");
  await page.waitForSelector("#tab-keys >> text=DATA_DIR");
  expect(await page.locator(`${TABLE} table`).count()).toBe(0);
});

describe("ten thousand keys", () => {
  test("are sorted, searched and paged by the server, fifty at a time", async () => {
    const site = start();
    for (let key = 0; key < 10_000; key += 1) site.make(`user ${key}`, { tenant: `team-${key % 40}` });
    const page = await open(site);
    await page.waitForSelector("#tab-keys .pager:visible >> text=page 1 of 200");
    const rows = page.locator(`${TABLE} tbody tr`);
    expect(await rows.count()).toBe(50);
    await page.locator("#tab-keys .pager:visible button", { hasText: "Next" }).click();
    await row(page, "user 50").waitFor();
    await page.fill("#keys-filter", "user team-7 9967");
    await page.waitForSelector("#tab-keys >> text=1 key");
    await row(page, "user 9967").waitFor();
    await page.fill("#keys-filter", "nobody");
    await page.waitForSelector("#tab-keys .part:visible >> text=No rows match the filter");
    // Nothing is asked for while the page shows something else.
    const asked: string[] = [];
    await page.click('header a[href="#overview"]');
    page.on("request", (request) => asked.push(request.url()));
    await Bun.sleep(11_000);
    expect(asked).toEqual([]);
  });
});

test.each([
  ["worker", (origin: string, key: string) => `SERVER_URL=${origin} CLIENT_KEY=${key} `, "worker llm"],
  ["admin", (origin: string, key: string) => `SERVER_URL=${origin} ADMIN_KEY=${key} `, "keys list"],
] as const)(
  "the first step with a key of the kind %s brings the program to a machine without it",
  async (kind, before, words) => {
    const site = start();
    const page = await open(site);
    await page.click("text=New key");
    await page.fill("#key-form [name=name]", "rack");
    await page.selectOption("#key-form [name=kind]", kind);
    await page.click("#key-form button.main");
    const text = await shownKey(page);
    const { url } = site.server;
    await page.waitForSelector(`#key-shown code >> text=join/moorage-${VERSION}.tgz`);
    expect(await page.locator("#key-shown .curl code").textContent()).toBe(
      `${before(url, text)}npx -y ${url}/join/moorage-${VERSION}.tgz ${words}`,
    );
  },
);
