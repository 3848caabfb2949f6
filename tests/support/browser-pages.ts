import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { launchBrowser, openPage, signIn, type Watched } from "./browser.ts";

/**
 * The pages of the tests of one file, which share a browser. A test has one page at a time. After each test its page is
 * closed, what it has started is stopped, and a complaint of the browser fails it.
 */
export class BrowserPages {
  /** What stops after the test, the newest first. */
  readonly running: { stop(): Promise<void> }[] = [];
  #browser: Browser | undefined;
  #watched: Watched | undefined;

  /** MUST be called where a file of tests may register hooks. */
  constructor() {
    beforeAll(async () => {
      this.#browser = await launchBrowser();
    });
    afterAll(() => this.#browser?.close());
    afterEach(async () => {
      const complaints = [...this.complaints];
      await this.#close();
      for (const each of this.running.splice(0).reverse()) await each.stop();
      expect(complaints).toEqual([]);
    });
  }

  /** The complaints about the open page. A test removes those that it expects. */
  get complaints(): string[] {
    return this.#watched?.complaints ?? [];
  }

  /** Opens an empty page. */
  async open(options: BrowserContextOptions = {}): Promise<Page> {
    if (!this.#browser) throw new Error("the browser starts with the first test");
    await this.#close();
    this.#watched = await openPage(this.#browser, options);
    return this.#watched.page;
  }

  /** Opens a tab of a server's dashboard. */
  async openTab(url: string, tab = "overview", options: BrowserContextOptions = {}): Promise<Page> {
    const page = await this.open(options);
    await signIn(page, url, tab);
    return page;
  }

  async #close(): Promise<void> {
    await this.#watched?.close();
    this.#watched = undefined;
  }
}
