import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { connect, createServer, type Server } from "node:net";
import type { Result } from "../../../src/doctor/check.ts";
import { examine } from "../../../src/doctor/doctor.ts";
import { toTarget } from "../../../src/doctor/target.ts";
import { systemClock } from "../../../src/system/clock.ts";
import { systemIds } from "../../../src/system/ids.ts";
import { silentLog } from "../../../src/system/log.ts";
import { VERSION } from "../../../src/system/version.ts";
import { ServerCluster } from "../../support/server-cluster.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../../support/test-server.ts";

// A whole run streams for 1.5 s and lets a client leave after half a second.
setDefaultTimeout(60_000);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

/** Starts a load balancer that gives each connection to the next server. */
async function balance(urls: readonly string[]): Promise<string> {
  let next = 0;
  const server: Server = createServer((client) => {
    const port = Number(new URL(urls[next % urls.length] ?? "").port);
    next += 1;
    const upstream = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the load balancer has no port");
  return `http://127.0.0.1:${address.port}`;
}

async function examined(server: string): Promise<Record<string, Result>> {
  const target = toTarget({
    server,
    clientKeys: [CLIENT_KEY],
    apiKey: API_KEY,
    adminKey: undefined,
    httpsProxy: undefined,
    httpProxy: undefined,
    noProxy: undefined,
    idleMs: 0,
    json: "false",
  });
  const results = await examine(target, VERSION, { clock: systemClock, ids: systemIds, log: silentLog });
  return Object.fromEntries(results.map((result) => [result.id, result]));
}

test("the doctor passes every check of a cluster behind a load balancer, and says which servers it has met", async () => {
  const cluster = await ServerCluster.start(["a", "b"], { plugins: ["llm", "transfer"] });
  cleanups.push(() => cluster.stop());
  const results = await examined(await balance(cluster.members.map(({ server }) => server.url)));
  const wrong = Object.values(results).filter(({ verdict }) => verdict === "bad" || verdict === "warning");
  expect(wrong).toEqual([]);
  expect(results["servers"]?.measured).toMatch(
    /^8 answers came from 2 servers \((?:[0-9a-f]{8}, ([ab])|([ab]), [0-9a-f]{8})\) of a cluster of 2, which is whole; the worker is connected to (?:\1\2)$/,
  );
  expect(results["client_key"]?.measured).toMatch(/^a worker with this key is accepted by server [ab] \(/);
  expect(results["job"]?.measured).toStartWith("4 reached a worker here and came back");
});

test("the doctor finds servers behind one address that are no cluster, and says how they become one", async () => {
  const urls = ["a", "b"].map((serverId) => {
    const server = new TestServer({ serverId, plugins: ["llm", "transfer"] });
    cleanups.push(() => server.stop());
    return server.url;
  });
  const { servers, job } = await examined(await balance(urls));
  expect(servers?.measured).toContain("without a cluster");
  expect(job).toMatchObject({ verdict: "bad" });
  expect(job?.advice).toContain("NATS_URL");
});
