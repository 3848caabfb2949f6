import { existsSync } from "node:fs";
import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserContextOptions, type Page, chromium as playwright } from "playwright-core";
import { API_KEY } from "./test-server.ts";

/** The machine's own browser when there is one; else the one that comes as a package. */
const INSTALLED = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Nothing but the pages under test is to be loaded; a browser otherwise calls its maker at once. */
const QUIET = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
];

export async function launchBrowser(): Promise<Browser> {
  const own = [process.env["CHROME_PATH"] ?? "", ...INSTALLED].find((path) => path !== "" && existsSync(path));
  if (own !== undefined) return playwright.launch({ executablePath: own, args: QUIET, headless: true });
  // In one process, as the package would have it, the browser ends with its first context.
  const args = [...chromium.args.filter((arg) => !/^--(single-process|no-zygote)$/.test(arg)), ...QUIET];
  return playwright.launch({ executablePath: await chromium.executablePath(), args, headless: true });
}

/** A page of its own, and everything in it that should not be: errors, refused scripts, dialogs. */
export interface Watched {
  readonly page: Page;
  /** What the browser complained of. Empty for a page that is well. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  // A POSIX locale of the machine is no language that pages know.
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(8000);
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()}`);
  });
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { page, complaints, close: () => context.close() };
}

/** Opens the dashboard signed in, at one of its tabs. */
export async function signIn(page: Page, url: string, tab = "overview"): Promise<void> {
  await page.goto(`${url}/state`);
  await page.fill("#key", API_KEY);
  await page.click("button[type=submit]");
  await page.waitForSelector(".link.live");
  if (tab !== "overview") await page.click(`header a[href="#${tab}"]`);
}

/** Resolves when the browser has painted what the page has become. */
export async function painted(page: Page): Promise<void> {
  // The second frame begins once the first is on the screen.
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
}

/** Shows a part of the tab that is open: Workers, Models, Jobs, Try it. */
export async function showPart(page: Page, tab: string, part: string): Promise<void> {
  await page.locator(`#tab-${tab} .parts button`, { hasText: part }).click();
}
