import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { Bridge } from "../../../src/worker/mcp/bridge/bridge.ts";
import { ask, drop, open, processesOf, SESSIONS, stdioBridge } from "../../support/bridge-client.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const SESSION_COUNT = 1000;
/** Processes at once, so that small machines can do it. */
const WAVE = 20;
/** A unique time to sleep, by which sleeping processes are found. */
const mark = String(900_000_000 + process.pid);
/** A cheap server, only a shell, that answers all requests as if they opened a session, and leaves a child running. */
const COMMAND = `: ${mark}; sleep ${mark} & while read -r line; do printf '%s\\n' '{"jsonrpc":"2.0","id":0,"result":{}}'; done`;

function openFiles(): number {
  return process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0;
}

function heapBytes(): number {
  Bun.gc(true);
  return process.memoryUsage().heapUsed;
}

/** A client that opens a session, listens, and vanishes. */
async function vanish(bridge: Bridge): Promise<void> {
  const { id } = await open(bridge);
  const leaving = new AbortController();
  const headers = { "mcp-session-id": id, "mcp-protocol-version": SESSIONS };
  const stream = await ask(bridge, "GET", undefined, { headers, signal: leaving.signal });
  await stream.body?.cancel();
  leaving.abort();
}

test("1,000 opened and dropped sessions leave no process, open file, session or memory behind", async () => {
  const clock = new FakeClock();
  const bridge = stdioBridge(COMMAND, clock);
  const timers = clock.pending;
  const wave = async (at: number): Promise<void> => {
    const clients = Array.from({ length: WAVE }, async (_, each) => {
      if ((at + each) % 2 === 0) return vanish(bridge);
      await drop(bridge, (await open(bridge)).id);
    });
    await Promise.all(clients);
    clock.advance(31 * 60_000);
    await eventually(
      () => bridge.sessions === 0 && processesOf(mark) === 0 && clock.pending === timers,
      "all of the wave is gone",
    );
  };
  // The first ones fill what is filled once: caches, compiled code.
  await wave(0);
  await wave(1);
  const before = { files: openFiles(), heap: heapBytes() };
  for (let at = 0; at < SESSION_COUNT / WAVE; at += 1) await wave(at);
  await eventually(() => openFiles() <= before.files, "no file is open", 30_000);
  // 2 KiB a session would be a leak. What streams held in buffers takes several collections to be given back.
  await eventually(() => heapBytes() - before.heap < SESSION_COUNT * 2048, "the memory is free again");
  await bridge.close();
  expect(clock.pending).toBe(0);
}, 15_000);
