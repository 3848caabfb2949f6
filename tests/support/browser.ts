import { existsSync } from "node:fs";
import chromium from "@sparticuz/chromium";
import {
  type Browser,
  type BrowserContextOptions,
  type Locator,
  type Page,
  chromium as playwright,
} from "playwright-core";
import { API_KEY } from "./test-server.ts";

/** Paths of browsers that the machine may have. Without any, the one of a package is used. */
const INSTALLED = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Flags that stop the browser from contacting its maker, so that it loads nothing but the pages under test. */
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
  // With the package's flags for a single process, the browser would end with its first context.
  const args = [...chromium.args.filter((arg) => !/^--(single-process|no-zygote)$/.test(arg)), ...QUIET];
  return playwright.launch({ executablePath: await chromium.executablePath(), args, headless: true });
}

/** A page in its own context, with a record of errors, refused scripts and dialogs. */
export interface Watched {
  readonly page: Page;
  /** The problems that the browser reported; empty for a page without problems. */
  readonly complaints: string[];
  close(): Promise<void>;
}

export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  // The machine's locale may be POSIX, which is not a language for pages.
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

/** Signs in to the dashboard and opens one of its tabs. */
export async function signIn(page: Page, url: string, tab = "overview"): Promise<void> {
  await page.goto(`${url}/state`);
  await page.fill("#key", API_KEY);
  await page.click("button[type=submit]");
  // Phones show a lamp without the word.
  await page.waitForSelector(".link.live", { state: "attached" });
  if (tab !== "overview") await showSection(page, tab);
}

/** Resolves when the browser has painted the current state of the page. */
export async function painted(page: Page): Promise<void> {
  // The second frame begins once the first has been painted.
  await page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))");
}

/** Opens a section of the dashboard from the navigation. */
export async function showSection(page: Page, section: string): Promise<void> {
  await page.click(`header nav a[href="#${section}"]`);
}

/** Shows a part of the open tab, such as Calls. */
export async function showPart(page: Page, tab: string, part: string): Promise<void> {
  await page.locator(`#tab-${tab} .parts button`, { hasText: part }).click();
}

/** Chooses an action in the menu of a row: `Drain`, `Cancel`. */
export async function chooseAction(row: Locator, action: string): Promise<void> {
  await row.locator("button[aria-haspopup=menu]").click();
  await row
    .page()
    .locator("[role=menu]:popover-open [role=menuitem]", { hasText: new RegExp(`^${action}…?$`) })
    .click();
}
