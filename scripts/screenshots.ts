import { launchBrowser, openPage, signIn } from "../tests/support/browser.ts";
import { NativeWorker } from "../tests/support/native-worker.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../tests/support/test-server.ts";
import { pictureCluster } from "./screenshots/cluster.ts";
import { PastClock } from "./screenshots/past-clock.ts";
import { pictureTeam } from "./screenshots/team.ts";

// `bun scripts/screenshots.ts` takes the pictures in docs/img with a real server and a real browser. The pool is made up:
// scripted workers with invented names and loads, and a quarter of an hour that passes in seconds.

/** Seconds of simulated time before the pictures are taken. */
const SECONDS = 900;

interface Machine {
  readonly name: string;
  readonly models: readonly string[];
  readonly slots: number;
  readonly cpu: number;
  readonly ram: number;
  /** What Node calls the platform and the release. */
  readonly os: readonly [name: string, version: string];
}

const MACHINES: readonly Machine[] = [
  {
    name: "attic-4090",
    models: ["llama3.3:70b", "nomic-embed-text"],
    slots: 4,
    cpu: 34,
    ram: 61,
    os: ["win32", "10.0.26100"],
  },
  {
    name: "mac-studio-desk",
    models: ["llama3.3:70b", "qwen3:32b"],
    slots: 3,
    cpu: 22,
    ram: 48,
    os: ["darwin", "25.2.0"],
  },
  {
    name: "rack-1-a100",
    models: ["qwen3:32b", "mistral-small:24b"],
    slots: 8,
    cpu: 51,
    ram: 72,
    os: ["linux", "6.12.41"],
  },
  {
    name: "rack-2-a100",
    models: ["qwen3:32b", "mistral-small:24b"],
    slots: 8,
    cpu: 47,
    ram: 70,
    os: ["linux", "6.12.41"],
  },
  { name: "lab-workstation-03", models: ["phi4:14b"], slots: 2, cpu: 12, ram: 33, os: ["linux", "6.12.41"] },
  {
    name: "lab-workstation-07",
    models: ["phi4:14b", "nomic-embed-text"],
    slots: 2,
    cpu: 9,
    ram: 35,
    os: ["win32", "10.0.26100"],
  },
  { name: "lab-workstation-11", models: ["phi4:14b"], slots: 2, cpu: 15, ram: 41, os: ["linux", "6.12.41"] },
];

/** The clients' keys. Their callers share the slots. */
const KEYS = [API_KEY, "screenshot-key-2", "screenshot-key-3"];

const clock = new PastClock(SECONDS);
const server = new TestServer(
  {
    apiKeys: KEYS,
    adminKeys: [API_KEY],
    plugins: ["llm", "asr", "mcp", "transfer"],
    pingIntervalMs: 86_400_000,
    queueTimeoutMs: 86_400_000,
  },
  { clock },
);
const workers = await Promise.all(MACHINES.map(startMachine));
const idle = await server.worker({ worker_name: "spare-3060", models: ["phi4:14b"], max_concurrency: 1 });
idle.sendText({
  type: "status_update",
  status: "not_ready",
  max_concurrency: 0,
  reason: "the model server does not answer",
});
for (const path of ["asr", "mcp"]) await startOther(path);
await live();
const ticking = setInterval(() => clock.advance(1000), 1000);
const browser = await launchBrowser();
const fill = fillUp();
await Bun.sleep(1500);
for (const [name, options, tab] of [
  ["light", { colorScheme: "light" }, "overview"],
  ["dark", { colorScheme: "dark" }, "overview"],
  ["phone", { colorScheme: "dark", viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 }, "overview"],
  ["workers", { colorScheme: "light", viewport: { width: 1280, height: 620 } }, "workers"],
] as const) {
  const { page, close } = await openPage(browser, options);
  await signIn(page, server.url, tab);
  await Bun.sleep(2000);
  await page.screenshot({ path: `docs/img/dashboard-${name}.png`, fullPage: name === "light" || name === "dark" });
  await close();
}
clearInterval(ticking);
await pictureCluster(browser);
await pictureTeam(browser);
await browser.close();
await server.stop();
await fill;
process.exit(0);

/** Answers each request after a while, with a token count. */
async function startMachine({
  name,
  models,
  slots,
  cpu,
  ram,
  os: [os_name, os_version],
}: Machine): Promise<NativeWorker> {
  const worker = await server.worker({
    worker_id: name,
    worker_name: name,
    version: "0.1.0",
    models,
    loaded: models.slice(0, 2),
    max_concurrency: slots,
    agent_config: { hostname: name, os_name, os_version },
  });
  worker.sendText({ type: "heartbeat", host_cpu_percent: cpu, host_ram_used_percent: ram });
  return worker;
}

async function startOther(path: string): Promise<void> {
  const register =
    path === "mcp"
      ? { type: undefined, id: "tickets", client_name: "ticket-system", info: { upstream: "stdio", auth: "token" } }
      : { worker_name: "whisper-box", models: ["whisper-large-v3"], max_concurrency: 2 };
  await NativeWorker.connect({
    url: server.url,
    path: `/api/${path}/connect`,
    register: { client_key: CLIENT_KEY, ...register },
  });
}

/** Plays a quarter of an hour of changing load. */
async function live(): Promise<void> {
  const held: { worker: NativeWorker; id: number; until: number }[] = [];
  const models = [...new Set(MACHINES.flatMap((machine) => machine.models))];
  const takeRequests = (): void => {
    for (const worker of workers) {
      while (worker.frames.waiting > 0) {
        void worker.frames.take().then((frame) => {
          if (frame.type === "request")
            held.push({ worker, id: frame.id, until: clock.elapsed() + 3000 + ((frame.id * 7919) % 6000) });
        });
      }
    }
  };
  for (let second = 0; second < SECONDS; second += 1) {
    const wave = 1.1 + Math.sin(second / 90) + 0.6 * Math.sin(second / 23) + (second > 800 ? 0.5 : 0);
    const wanted = Math.max(0, Math.round(wave + ((second * 7) % 3) / 3));
    for (let each = 0; each < wanted; each += 1) {
      server
        .chat(models[(second + each) % models.length] ?? "", {}, asClient((second * 5 + each) % 7))
        .then((response) => response.text())
        .catch(() => {}); // Requests that are still running when the server stops.
    }
    await Bun.sleep(3);
    takeRequests();
    await Bun.sleep(0);
    for (const job of held.splice(0)) {
      if (job.until > clock.elapsed()) held.push(job);
      else job.worker.answerJson(job.id, { usage: usageOf(job.id) });
    }
    await Bun.sleep(3);
    clock.advance(1000);
  }
}

/** Returns the headers of a client; the first client sends more than the others. */
function asClient(nth: number, more: Readonly<Record<string, string>> = {}): RequestInit {
  const key = KEYS[nth % 7 < 4 ? 0 : nth % 7 < 6 ? 1 : 2] ?? API_KEY;
  return { headers: { authorization: `Bearer ${key}`, ...more } };
}

/** A model server's count for a conversation that goes on: most of the prompt is in its cache. */
function usageOf(nth: number): object {
  const prompt_tokens = 900 + ((nth * 53) % 2400);
  const cached_tokens = Math.round(prompt_tokens * (0.55 + ((nth * 17) % 40) / 100));
  return {
    prompt_tokens,
    completion_tokens: 60 + ((nth * 31) % 240),
    prompt_tokens_details: { cached_tokens },
  };
}

/** Starts the jobs that run and wait in the pictures. */
async function fillUp(): Promise<void> {
  const asked = ["qwen3:32b", "mistral-small:24b", "phi4:14b", "llama3.3:70b"];
  const running = Array.from({ length: 34 }, (_, at) =>
    server.chat(asked[at % asked.length] ?? "", { stream: true }, asClient(at, { "x-request-id": `req-${7000 + at}` })),
  );
  await Promise.allSettled(running.map((each) => each.then((response) => response.text())));
}
