import type { Browser, Page } from "playwright-core";
import { KeyBook } from "../../src/keys/key-book.ts";
import { createMemoryRecords } from "../../src/keys/key-records.ts";
import type { KeySpec } from "../../src/keys/key-spec.ts";
import type { KeyTerms } from "../../src/keys/key-terms.ts";
import { TenantBook } from "../../src/keys/tenant-book.ts";
import { createMemoryTenants } from "../../src/keys/tenant-records.ts";
import { openPage, signIn } from "../../tests/support/browser.ts";
import type { NativeWorker } from "../../tests/support/native-worker.ts";
import { API_KEY, TestServer } from "../../tests/support/test-server.ts";
import { PastClock } from "./past-clock.ts";

/** The simulated day before the pictures are taken, in steps. */
const STEP_S = 600;
const STEPS = 144;
const DAY_MS = 86_400_000;
const ZONE = "Europe/Berlin";

interface Person {
  readonly name: string;
  readonly terms: Partial<KeyTerms>;
  readonly model: string;
  /** Requests in each step of a working hour, and at night. */
  readonly rate: readonly [day: number, night: number];
  /** Tokens of a prompt. */
  readonly prompt: number;
}

const PEOPLE: readonly Person[] = [
  {
    name: "ada",
    terms: {
      tenant: "research",
      class: "interactive",
      limits: { parallel: 2, tokensPerDay: 2_000_000, timezone: ZONE },
    },
    model: "qwen3:32b",
    rate: [3, 0],
    prompt: 7800,
  },
  {
    name: "grace",
    terms: { tenant: "research", limits: { parallel: 4, tokensPerDay: 2_000_000, timezone: ZONE } },
    model: "qwen3:32b",
    rate: [2, 0],
    prompt: 4200,
  },
  {
    name: "linus",
    terms: { tenant: "platform", models: ["llama3*"], limits: { parallel: 4, requestsPerMinute: 60 } },
    model: "llama3.3:70b",
    rate: [3, 1],
    prompt: 3100,
  },
  {
    name: "nightly ci",
    terms: {
      tenant: "platform",
      class: "background",
      limits: { parallel: 4, tokensPerMonth: 50_000_000, timezone: ZONE },
    },
    model: "llama3.3:70b",
    rate: [0, 5],
    prompt: 2600,
  },
  { name: "open-webui", terms: { weight: 5, limits: {} }, model: "qwen3:32b", rate: [6, 1], prompt: 1900 },
];

/** Takes the pictures of the pages on keys and usage: a team that has worked for a day. */
export async function pictureTeam(browser: Browser): Promise<void> {
  const clock = new PastClock(STEPS * STEP_S);
  const book = new KeyBook({ records: createMemoryRecords(), clock, maxRequests: 1000 });
  const tenants = new TenantBook({ records: createMemoryTenants(), clock });
  tenants.set("research", { tokensPerMonth: 40_000_000, timezone: ZONE }, "admin-key:1");
  const make = (spec: KeySpec): string => book.create(spec, { by: "lead" }).text;
  make({ kind: "admin", terms: { name: "lead", limits: {} } });
  const keys = new Map(
    PEOPLE.map(({ name, terms }) => [name, make({ kind: "client", terms: { name, limits: {}, ...terms } })]),
  );
  const guest = { name: "guest", limits: { parallel: 1 }, models: ["llama3*"], expiresAt: Date.now() + 5 * DAY_MS };
  make({ kind: "client", terms: guest });
  make({ kind: "worker", terms: { name: "gpu-1", limits: {}, maxSlots: 8 }, bound: { workerId: "gpu-1" } });
  make({ kind: "join", terms: { name: "gpu-2", limits: {}, maxUses: 1, expiresAt: Date.now() + 3_600_000 } });

  const config = { adminKeys: [API_KEY], pingIntervalMs: 10 * DAY_MS, queueTimeoutMs: DAY_MS };
  const opened = { book, tenants, isKept: true, file: undefined };
  const server = new TestServer(config, { clock }, undefined, undefined, undefined, opened);
  const worker = await server.worker({
    worker_id: "gpu-1",
    models: ["qwen3:32b", "llama3.3:70b"],
    max_concurrency: 64,
  });
  const chatAs = (name: string, model: string): Promise<Response> =>
    server.chat(model, {}, { headers: { authorization: `Bearer ${keys.get(name)}` } });
  for (let step = 0; step < STEPS; step += 1) {
    const hour = new Date(clock.now()).getUTCHours();
    const isDay = hour >= 7 && hour < 19;
    for (const { name, model, rate, prompt } of PEOPLE) {
      const usual = rate[isDay ? 0 : 1];
      const wave = usual === 0 ? 0 : Math.max(0, Math.round(usual + 1.5 * Math.sin(step / 7 + prompt)));
      for (let each = 0; each < wave; each += 1) await serve(worker, chatAs(name, model), prompt + ((step * 53) % 900));
    }
    clock.advance(STEP_S * 1000);
  }
  // What runs and waits in the picture. Nobody answers it.
  const left = ["ada", "ada", "ada", "open-webui", "open-webui"].map((name) => chatAs(name, "qwen3:32b"));
  const ticking = setInterval(() => clock.advance(1000), 1000);

  const { page, close } = await openPage(browser, { colorScheme: "light", viewport: { width: 1280, height: 720 } });
  await signIn(page, server.url, "keys");
  await page.locator("#tab-keys tbody tr", { hasText: "open-webui" }).waitFor();
  await picture(page, "keys");
  await page.click('header a[href="#usage"]');
  await page.locator("#tab-usage tbody tr", { hasText: "open-webui" }).first().waitFor();
  await picture(page, "usage");
  await close();
  clearInterval(ticking);
  await server.stop();
  await Promise.allSettled(left.map((each) => each.then((response) => response.text())));
}

/** Answers one request with a count of tokens. */
async function serve(worker: NativeWorker, asked: Promise<Response>, prompt: number): Promise<void> {
  const { id } = await worker.request();
  const cached = { cached_tokens: Math.round(prompt * 0.6) };
  const usage = { prompt_tokens: prompt, completion_tokens: 180 + (prompt % 240), prompt_tokens_details: cached };
  worker.answerJson(id, { choices: [], usage });
  await (await asked).text();
}

async function picture(page: Page, name: string): Promise<void> {
  await Bun.sleep(1500);
  await page.screenshot({ path: `docs/img/dashboard-${name}.png` });
}
