import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { lacks, type Need } from "../support/lacks.ts";
import { API_KEY, TestServer } from "../support/test-server.ts";
import { startBackend, startTestWorker } from "../support/test-worker.ts";

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function keep<T extends { stop(): unknown }>(each: T): T {
  running.push(each);
  return each;
}

/** Mounts a file system of 2 MiB; undefined if this user has no right to. */
function smallDisk(): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), "moorage-full-"));
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", directory], { stderr: "ignore" });
  if (!mounted.success) {
    rmSync(directory, { recursive: true });
    return undefined;
  }
  keep({
    stop() {
      Bun.spawnSync(["umount", directory]);
      rmSync(directory, { recursive: true });
    },
  });
  return directory;
}

const rightToMount: Need = {
  name: "right to mount a file system",
  isThere() {
    const disk = Bun.which("mount") ? smallDisk() : undefined;
    for (const each of running.splice(0)) each.stop();
    return disk !== undefined;
  },
  mayLack: "most containers, and users other than root, have none",
};

describe.skipIf(lacks("a full disk", rightToMount))("a server whose disk fills up while it spools an upload", () => {
  const SOUND = new Uint8Array(5 * 1024 * 1024);

  function form(order: "model first" | "file first"): FormData {
    const upload = new FormData();
    if (order === "model first") upload.append("model", "m");
    upload.append("file", new Blob([SOUND], { type: "audio/wav" }), "a.wav");
    if (order === "file first") upload.append("model", "m");
    return upload;
  }

  test("refuses uploads that need the disk with a code, forwards all others, and leaves no file", async () => {
    const disk = smallDisk() ?? expect.unreachable();
    const server = keep(new TestServer({ plugins: ["asr"], spoolDirectory: disk }));
    const backend = keep(
      startBackend(async (request) => Response.json({ text: String((await request.bytes()).length > SOUND.length) })),
    );
    const worker = keep(
      startTestWorker({ server: server.url, kinds: ["asr"], backend: backend.url, models: ["m"], drainTimeoutMs: 0 }),
    );
    await worker.registered;
    const send = (order: "model first" | "file first"): Promise<Response> =>
      server.fetch("/v1/audio/transcriptions", { method: "POST", body: form(order) });
    const refused = await send("file first");
    expect(refused.status).toBe(503);
    expect(await refused.text()).toContain("spool_unavailable");
    const passed = await send("model first");
    expect(passed.status).toBe(200);
    expect(await passed.json()).toEqual({ text: "true" });
    await eventually(() => readdirSync(disk).length === 0, "no file is left");
    const free = Bun.spawnSync(["df", "--output=used", "-k", disk]).stdout.toString().trim().split("\n").at(-1);
    expect(Number(free)).toBe(0);
  }, 30_000);
});

/** A clock whose time of day can be set, which leaves its elapsed time alone. */
class SetClock extends FakeClock {
  offsetMs = 0;

  override now(): number {
    return super.now() + this.offsetMs;
  }
}

test.each([
  ["forward", 3_600_000],
  ["back", -3_600_000],
])(
  "a clock that is set %s by an hour makes nothing expire early and nothing hang",
  async (_direction, byMs) => {
    const clock = new SetClock();
    const server = keep(
      new TestServer(
        { plugins: ["llm", "transfer"], pingIntervalMs: 200, queueTimeoutMs: 1500, transferTtlMs: 5000 },
        { clock },
      ),
    );
    const worker = await server.worker({ models: ["m"] });
    // Slowly enough that the worker answers each ping in time.
    const pass = async (ms: number): Promise<void> => {
      for (let passed = 0; passed < ms; passed += 50) {
        clock.advance(50);
        await worker.roundTrip();
      }
    };
    const made = await server.fetch("/api/transfer", { method: "POST" });
    const { channel_id } = (await made.json()) as { channel_id: string }; // As the API has it.
    const stream = server.chat("m", { stream: true });
    const { id } = await worker.request();
    worker.head(id);
    worker.data(id, "data: one\n\n");
    const waiting = server.chat("m");
    await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "one waits");
    clock.offsetMs = byMs;
    await pass(500);
    expect((await server.state()).workers).toHaveLength(1);
    expect((await server.state()).server["scheduler_queue_len"]).toBe(1);
    worker.data(id, "data: [DONE]\n\n", true);
    expect(await (await stream).text()).toEndWith("data: [DONE]\n\n");
    worker.answerJson((await worker.request()).id, { done: true });
    expect((await waiting).status).toBe(200);
    // The queue's deadline holds too.
    const busy = server.chat("m");
    const last = await worker.request();
    const late = server.chat("m");
    await eventually(async () => (await server.state()).server["scheduler_queue_len"] === 1, "one waits");
    await pass(1500);
    expect((await late).status).toBe(503);
    const url = `${server.url}/api/transfer/${channel_id}`;
    const headers = { authorization: `Bearer ${API_KEY}` };
    const writing = fetch(url, { method: "PUT", headers, body: "ahoy" });
    expect(await (await fetch(url, { headers })).text()).toBe("ahoy");
    // The server looks by its clock whether the reader's connection is done.
    await eventually(() => {
      clock.advance(10);
      return Bun.peek.status(writing) !== "pending";
    }, "the writer is answered");
    expect((await writing).status).toBe(200);
    worker.answerJson(last.id, { done: true });
    expect((await busy).status).toBe(200);
    worker.close();
  },
  30_000,
);
