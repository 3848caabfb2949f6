import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { NativeWorker } from "../support/native-worker.ts";
import { ProgramRun } from "../support/program-run.ts";

const ROOT = join(import.meta.dir, "..", "..");
const A1 = "api-key-one-8f1c22e07a6b4d39b05f6e1d";
const A2 = "api-key-two-8f1c22e07a6b4d39b05f6e1d";
const C1 = "client-key-one-8f1c22e07a6b4d39b05f6e";
const C2 = "client-key-two-8f1c22e07a6b4d39b05f6e";

let folder = "";
let program: ProgramRun | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "moorage-reload-"));
});
afterEach(async () => {
  program?.kill();
  await program?.exited;
  program = undefined;
  await rm(folder, { recursive: true, force: true });
});

const path = (): string => join(folder, "server.yaml");
const write = (text: string): Promise<number> => Bun.write(path(), text);
const keys = (api: readonly string[], client: readonly string[], more = ""): string =>
  `api_key: [${api.map((key) => `"${key}"`).join(",")}]\nclient_key: [${client.map((key) => `"${key}"`).join(",")}]\n${more}`;

function start(args: readonly string[], env: Record<string, string> = {}): ProgramRun {
  program = new ProgramRun(["bun", ...args], { PATH: process.env["PATH"] ?? "", HOME: folder, ...env }, ROOT);
  return program;
}

async function startServer(env: Record<string, string> = {}): Promise<{ run: ProgramRun; url: string }> {
  const run = start(["src/main.ts"], { PORT: "0", HOST: "127.0.0.1", CONFIG_FILE: path(), ...env });
  return { run, url: await run.url() };
}

const statusFor = async (url: string, key: string): Promise<number> =>
  (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status;

const connect = (url: string, key: string): Promise<NativeWorker> =>
  NativeWorker.connect({ url, register: { client_key: key, models: ["m"] } });

describe("a server on SIGHUP", () => {
  test("takes over added and removed keys from its file, and disconnects the workers of a removed one", async () => {
    await write(keys([A1], [C1, C2]));
    const { run, url } = await startServer();
    const [first, second] = await Promise.all([connect(url, C1), connect(url, C2)]);
    expect([await statusFor(url, A1), await statusFor(url, A2)]).toEqual([200, 401]);

    await write(keys([A2], [C2]));
    run.signal("SIGHUP");
    const line = await run.event("keys.reloaded");
    expect(line).toMatchObject({
      api_keys_added: 1,
      api_keys_removed: 1,
      client_keys_added: 0,
      client_keys_removed: 1,
      admin_keys_added: 0,
      workers_disconnected: 1,
    });
    expect(JSON.stringify(line)).not.toMatch(/one-8f1c|two-8f1c/);
    expect([await statusFor(url, A1), await statusFor(url, A2)]).toEqual([401, 200]);
    expect(await first.closed).toEqual({ code: 1008, reason: "client key removed" });
    await expect(connect(url, C1)).rejects.toThrow();
    expect(second.socket.readyState).toBe(WebSocket.OPEN);
    expect(await run.stop()).toBe(0);
  }, 20_000);

  test("changes nothing if the file is wrong, missing, or would let anybody in, and says why without a key", async () => {
    await write(keys([A1], [C1]));
    const { run, url } = await startServer();
    const worker = await connect(url, C1);
    const broken = [`api_key: ["${A2}`, keys([A2], [C2], "queue_size: none\n"), `client_key: ["${C2}"]\n`];
    for (const text of broken) {
      await write(text);
      run.signal("SIGHUP");
      const line = await run.event("keys.reload_failed");
      expect(line).toMatchObject({ level: "error", file: path() });
      expect(JSON.stringify(line)).not.toMatch(/one-8f1c|two-8f1c/);
    }
    await rm(path());
    run.signal("SIGHUP");
    expect(await run.event("keys.reload_failed")).toMatchObject({ reason: expect.stringContaining("ENOENT") });
    expect([await statusFor(url, A1), await statusFor(url, A2)]).toEqual([200, 401]);
    expect(worker.socket.readyState).toBe(WebSocket.OPEN);
  }, 20_000);

  test("names other settings that have changed, which need a restart", async () => {
    await write(keys([A1], [C1]));
    const { run } = await startServer();
    await write(keys([A1], [C1], "queue_size: 7\nrequest_timeout: 9m\n"));
    run.signal("SIGHUP");
    const { needs_restart } = await run.event("keys.reloaded");
    expect(String(needs_restart).split(",").sort()).toEqual(["QUEUE_SIZE", "REQUEST_TIMEOUT"]);
  }, 20_000);

  test("whose keys are in the environment says that these cannot change", async () => {
    const { run, url } = await startServer({ CONFIG_FILE: "", API_KEY: A1, CLIENT_KEY: C1 });
    run.signal("SIGHUP");
    expect((await run.event("keys.reload_skipped"))["reason"]).toContain("CONFIG_FILE");
    expect(await statusFor(url, A1)).toBe(200);
  }, 20_000);
});

const SIGNALS = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

describe("SIGHUP, SIGUSR1 and SIGUSR2", () => {
  test("never end a server", async () => {
    await write(keys([A1], [C1]));
    const { run, url } = await startServer();
    for (const signal of SIGNALS) run.signal(signal);
    await run.event("keys.reloaded");
    expect(await statusFor(url, A1)).toBe(200);
    expect(await run.stop()).toBe(0);
  }, 20_000);

  test("never end a worker", async () => {
    const run = start([
      "src/worker/main.ts",
      "llm",
      "--server",
      "http://127.0.0.1:9",
      "--backend",
      "http://127.0.0.1:9",
    ]);
    await run.event("worker.started");
    for (const signal of SIGNALS) {
      run.signal(signal);
      expect(await run.event("worker.signal")).toMatchObject({ signal, effect: "none" });
    }
    expect(await run.stop()).toBe(0);
  }, 20_000);

  test.each([
    ["the doctor", ["src/doctor/main.ts", "--server", "%", "--idle", "0"], "moorage doctor", SIGNALS],
    ["the demo, except SIGHUP", ["src/cli/main.ts", "demo"], "export API_KEY", SIGNALS.slice(1)],
  ])(
    "never end %s",
    async (name, args, ready, harmless) => {
      // A server that accepts connections and never answers, so that the doctor runs on.
      const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
      const command = args.map((each) => each.replace("%", `http://127.0.0.1:${silent.port}`));
      const child = Bun.spawn(["bun", ...command], {
        cwd: ROOT,
        env: { PATH: process.env["PATH"] ?? "", HOME: folder, PORT: "0" },
        stdio: ["ignore", "pipe", "ignore"],
      });
      let said = "";
      const reading = (async () => {
        for await (const bytes of child.stdout) said += new TextDecoder().decode(bytes);
      })();
      await eventually(() => said.includes(ready), "it runs", 15_000);
      for (const signal of harmless) child.kill(signal);
      // It would have ended by the time that another process has started and ended.
      await Bun.spawn(["bun", "--version"], { stdio: ["ignore", "ignore", "ignore"] }).exited;
      expect([child.exitCode, child.signalCode]).toEqual([null, null]);
      const isDemo = name.startsWith("the demo");
      child.kill(isDemo ? "SIGHUP" : "SIGKILL");
      expect(await child.exited).toBe(isDemo ? 0 : 137);
      await reading;
      silent.stop(true);
    },
    30_000,
  );
});
