import type { Browser } from "playwright-core";
import type { ServerLoad } from "../../src/state/cluster-facts.ts";
import { openPage, signIn } from "../../tests/support/browser.ts";
import { QUIET_LINK, ScriptedCluster } from "../../tests/support/scripted-cluster.ts";
import { TestServer } from "../../tests/support/test-server.ts";
import { PastClock } from "./past-clock.ts";

/** Seconds of simulated time before the picture is taken. */
const SECONDS = 900;
/** The second in which one of the servers dies. */
const DEATH = 780;

/** Takes the picture of a cluster: three regions, of which one has just lost a server. */
export async function pictureCluster(browser: Browser): Promise<void> {
  const clock = new PastClock(SECONDS);
  const cluster = new ScriptedCluster(clock);
  const config = { serverId: "fra-1", plugins: ["llm"], pingIntervalMs: 86_400_000 };
  const server = new TestServer(config, { clock }, undefined, undefined, cluster);
  for (const name of ["attic-4090", "rack-1-a100"])
    await server.worker({ worker_id: name, worker_name: name, models: ["qwen3:32b"], max_concurrency: 8 });
  cluster.set({ region: "fra" });
  cluster.peer("iad-1", { region: "iad", version: "0.1.0", link: { ...QUIET_LINK, rttMs: 91.4 } });
  cluster.peer("sin-1", { region: "sin", version: "0.1.0", link: { ...QUIET_LINK, rttMs: 162.8 } });
  cluster.peer("sin-2", { region: "sin", version: "0.1.0", link: { ...QUIET_LINK, rttMs: 163.1 } });
  let requests = 0;
  for (let second = 0; second < SECONDS; second += 1) {
    const wave = 1 + Math.sin(second / 80) * 0.6 + Math.sin(second / 17) * 0.2;
    requests += Math.round(2 + wave * 2);
    cluster.beat("iad-1", loadOf(16, Math.round(6 * wave), requests));
    cluster.beat("sin-1", loadOf(12, Math.round((second > DEATH ? 6 : 4) * wave), requests));
    if (second < DEATH) cluster.beat("sin-2", loadOf(12, Math.round(4 * wave), requests));
    else if (second === DEATH) cluster.peer("sin-2", { status: "gone", since: clock.now() });
    clock.advance(1000);
  }
  const { page, close } = await openPage(browser, { colorScheme: "light" });
  await signIn(page, server.url);
  await page.locator(".plot canvas").first().waitFor();
  await page.screenshot({ path: "docs/img/dashboard-cluster.png", fullPage: true });
  await close();
  await server.stop();
}

function loadOf(slots: number, used: number, requests: number): ServerLoad {
  const held = Math.min(slots, used);
  return {
    pulses: [
      {
        id: "llm",
        pulse: {
          workers: { idle: slots / 4 - Math.ceil(held / 4), working: Math.ceil(held / 4), notReady: 0, draining: 0 },
          slots: { used: held, total: slots },
          queue: { waiting: Math.max(0, used - slots), capacity: 1000 },
          requests,
          tokens: requests * 140,
          prompt: { tokens: requests * 1500, cached: requests * 1000 },
        },
      },
    ],
    firstByte: { p50Ms: 240 + used * 10, p95Ms: 700 + used * 40 },
    problems: { critical: 0, warning: 0 },
  };
}
