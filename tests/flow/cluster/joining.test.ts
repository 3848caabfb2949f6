import { afterEach, describe, expect, test } from "bun:test";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { TestNats } from "../../support/nats-server.ts";
import { ProgramRun } from "../../support/program-run.ts";
import { freePort } from "../../support/proxy.ts";

const ROOT = `${import.meta.dir}/../../..`;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function startServer(env: Readonly<Record<string, string>>): ProgramRun {
  const all = {
    PATH: process.env["PATH"] ?? "",
    PORT: "0",
    HOST: "127.0.0.1",
    CLUSTER_LISTEN: "127.0.0.1:0",
    PLUGINS: "llm",
    ...env,
  };
  const server = new ProgramRun([process.execPath, "src/main.ts"], all, ROOT);
  ends.push(async () => {
    server.kill();
    await server.exited;
  });
  return server;
}

async function startNats(port?: number): Promise<TestNats> {
  const nats = await TestNats.start(port === undefined ? {} : { port });
  ends.push(() => nats.stop());
  return nats;
}

test("a server without NATS_URL loads nothing of the cluster", async () => {
  const program = `await import("./src/serve.ts");
    console.log(Object.keys(require.cache).filter((path) => /src\\/cluster\\/|@nats-io/.test(path)).join());
    console.log(Object.keys(require.cache).some((path) => /src\\/app\\.ts/.test(path)));`;
  const run = Bun.spawn([process.execPath, "-e", program], { cwd: ROOT, stdout: "pipe" });
  expect(await run.stdout.text()).toBe("\ntrue\n");
});

test("a server whose NATS credentials cannot be read does not start", async () => {
  const server = startServer({ NATS_URL: "nats://127.0.0.1", NATS_CREDS: "/nowhere/nats.creds" });
  expect(await server.event("cluster.refused")).toMatchObject({
    reason: "the file that NATS_CREDS names cannot be read (ENOENT)",
  });
  expect(await server.exited).toBe(78);
});

test("a server that may not use an open NATS does not start, and says what to set", async () => {
  const server = startServer({ NATS_URL: "nats://192.0.2.7" });
  expect(await server.exited).toBe(78);
  expect(await server.output).toContain("set CLUSTER_OPEN=true");
});

describe.skipIf(lacks("servers on a real nats-server", PROGRAMS.nats))("with NATS", () => {
  test("a server starts before NATS, serves alone, and joins when NATS is there", async () => {
    const port = await freePort();
    const server = startServer({ NATS_URL: `nats://moorage:loopback-only@127.0.0.1:${port}`, SERVER_ID: "eu-1" });
    expect(await server.event("cluster.alone")).toMatchObject({
      reason: "connection refused",
      effect: "this server works alone until it reaches NATS, and keeps trying",
    });
    const url = await server.url();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const nats = await startNats(port);
    expect(await server.event("cluster.joined")).toMatchObject({ cluster: "moorage" });
    nats.freeze();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    nats.thaw();
    await nats.kill();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect(await server.stop()).toBe(0);
  });

  test("a server does not start beside a running one of the same id, and does once that has ended", async () => {
    const nats = await startNats();
    const env = { NATS_URL: nats.url, SERVER_ID: "eu-1" };
    const first = startServer(env);
    await first.url();
    const second = startServer(env);
    expect(await second.event("cluster.refused")).toMatchObject({
      reason: expect.stringMatching(/^another server of the cluster moorage, on .+, is called eu-1 and is running$/),
      hint: "set SERVER_ID to a name that no other server of the cluster has",
    });
    expect(await second.exited).toBe(75);
    const elsewhere = startServer({ ...env, CLUSTER_NAME: "staging" });
    await elsewhere.url();
    expect(await first.stop()).toBe(0);
    await startServer(env).url();
  });

  test.each([
    ["a wrong password", "nats://moorage:wrong@", /^set the user and password/],
    ["TLS that NATS does not have", "tls://moorage:loopback-only@", /^use tls:\/\/ in NATS_URL if/],
  ])("a server with %s says in its log what to set", async (_what, start, hint) => {
    const nats = await startNats();
    const server = startServer({ NATS_URL: `${start}127.0.0.1:${nats.port}` });
    expect(await server.event("bus.disconnected")).toMatchObject({ hint: expect.stringMatching(hint) });
  });

  test("no log line of a server contains its NATS password", async () => {
    const nats = await startNats();
    const server = startServer({ NATS_URL: nats.url, LOG_LEVEL: "debug" });
    await server.event("cluster.joined");
    await nats.kill();
    await server.event("bus.disconnected");
    await server.stop();
    const output = await server.output;
    expect(output).toContain("cluster.joined");
    expect(output).not.toContain("loopback-only");
  });
});
