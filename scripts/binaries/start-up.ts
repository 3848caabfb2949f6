import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Enough starts that one slow one does not affect the median. */
const ROUNDS = 7;
/** Milliseconds after which a program is considered unable to start. */
const GIVE_UP_MS = 10_000;

/** The command whose start is measured. */
export type Started = "serve" | "worker";

/**
 * The median of several start-up times in milliseconds. The server has started when `/healthz` responds with 200, and the
 * worker when it has logged that it started. Runs in an empty directory unless `cwd` names another.
 */
export async function measureStartUp(what: Started, command: readonly string[], cwd?: string): Promise<number> {
  const empty = mkdtempSync(join(tmpdir(), "moorage-start-"));
  const times: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      times.push(await (what === "serve" ? serverStart : workerStart)(command, cwd ?? empty));
    }
  } finally {
    rmSync(empty, { recursive: true, force: true });
  }
  return times.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN;
}

async function serverStart(command: readonly string[], cwd: string): Promise<number> {
  const port = await freePort();
  const startedAt = performance.now();
  const child = Bun.spawn([...command, "serve", "--host", "127.0.0.1", "--port", String(port)], {
    cwd,
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    while (!(await isHealthy(port))) {
      if (child.exitCode !== null) throw new Error(`${command.join(" ")} ended with ${child.exitCode}`);
      if (performance.now() - startedAt > GIVE_UP_MS) throw new Error(`${command.join(" ")} does not answer`);
      // Each look takes time from the core on which the program starts.
      await Bun.sleep(4);
    }
    return performance.now() - startedAt;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

async function workerStart(command: readonly string[], cwd: string): Promise<number> {
  const startedAt = performance.now();
  // Nothing listens at this address, which the worker tolerates.
  const child = Bun.spawn([...command, "worker", "llm", "--server", "http://127.0.0.1:9", "--log-format", "json"], {
    cwd,
    stdio: ["ignore", "pipe", "ignore"],
    timeout: GIVE_UP_MS,
  });
  try {
    const decoder = new TextDecoder();
    let said = "";
    for await (const bytes of child.stdout) {
      said += decoder.decode(bytes, { stream: true });
      if (said.includes("worker.started")) return performance.now() - startedAt;
    }
    throw new Error(`${command.join(" ")} ended before it started`);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

async function isHealthy(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/healthz`)).ok;
  } catch {
    return false; // It does not listen yet.
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = createServer();
    listener.once("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const address = listener.address();
      listener.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
