import { afterEach, expect, test } from "bun:test";
import { ScriptedServer } from "../../support/scripted-server.ts";
import { startBackend } from "../../support/test-worker.ts";

const PROGRAM = `${import.meta.dir}/../../../src/worker/main.ts`;
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of cleanup.splice(0).reverse()) await each();
});

function spawn(args: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([process.execPath, PROGRAM, ...args], {
    env,
    stdout: "pipe",
    stderr: "pipe",
    stdin: "ignore",
  });
  cleanup.push(() => child.kill("SIGKILL"));
  return child;
}

test("the worker program serves a job and, on SIGTERM, finishes running jobs, says goodbye and exits with 0", async () => {
  const server = new ScriptedServer();
  const answer = Promise.withResolvers<Response>();
  const started = Promise.withResolvers<void>();
  const backend = startBackend(() => {
    started.resolve();
    return answer.promise;
  });
  cleanup.push(
    () => server.stop(),
    () => backend.stop(),
  );
  const child = spawn(["llm", "--server", server.url, "--backend", backend.url, "--name", "box"], {
    CLIENT_KEY: "secret-key",
  });
  const link = await server.worker();
  expect(await link.register()).toMatchObject({ client_key: "secret-key", worker_name: "box", models: ["m"] });
  link.open({ path: "/x" });
  await started.promise;
  child.kill("SIGTERM");
  await link.status("draining");
  answer.resolve(new Response("done"));
  expect((await link.response()).end).toBe(true);
  expect(await link.closed).toEqual({ code: 1000, reason: "drained" });
  expect(await child.exited).toBe(0);
  const [out, err] = [await child.stdout.text(), await child.stderr.text()];
  expect(err).toContain("curl ");
  expect(out + err).not.toContain("secret-key");
  expect(
    out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).event),
  ).toContain("worker.stopped");
});

test("a second signal ends the worker program at once", async () => {
  const server = new ScriptedServer();
  const started = Promise.withResolvers<void>();
  const backend = startBackend(() => {
    started.resolve();
    return new Promise<Response>(() => {});
  });
  cleanup.push(
    () => server.stop(),
    () => backend.stop(),
  );
  const child = spawn(["llm", "--server", server.url, "--backend", backend.url]);
  const link = await server.worker();
  link.open({ path: "/x" });
  await started.promise;
  child.kill("SIGINT");
  await link.status("draining");
  child.kill("SIGINT");
  expect(await child.exited).toBe(1);
});

test("invalid settings are all named, with exit code 78", async () => {
  const child = spawn(["llm", "--server", "ftp://x", "--max-concurrency", "0"]);
  expect(await child.exited).toBe(78);
  const text = await child.stderr.text();
  // The server uses the same words.
  expect(text).toStartWith("The settings are not valid:\n");
  expect(text).toContain("server");
  expect(text.toLowerCase()).toMatch(/max.?concurrency/);
});

test("more jobs than Bun's limit of requests cause a warning, unless the limit was raised", async () => {
  const server = new ScriptedServer();
  cleanup.push(() => server.stop());
  const args = ["llm", "--server", server.url, "--backend", "http://127.0.0.1:9/v1", "--max-concurrency", "300"];
  const events = async (env: Record<string, string>): Promise<string> => {
    const child = spawn(args, env);
    await server.worker();
    child.kill("SIGTERM");
    await child.exited;
    return child.stdout.text();
  };
  expect(await events({})).toContain("worker.limited");
  expect(await events({ BUN_CONFIG_MAX_HTTP_REQUESTS: "1000" })).not.toContain("worker.limited");
});
