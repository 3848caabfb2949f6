import { afterEach, describe, expect, test } from "bun:test";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { freePort } from "../../support/proxy.ts";
import { SlowLine } from "../../support/slow-line.ts";

// Three server processes of two regions. A round trip between any two of them takes longer than one within a region.

const DELAY_MS = 20;

let cluster: ClusterProcesses;
let lines: SlowLine[] = [];
afterEach(async () => {
  await cluster.stop();
  for (const line of lines.splice(0)) await line.stop();
});

async function start(regions: readonly string[]): Promise<void> {
  const ports = await Promise.all(regions.map(() => freePort()));
  lines = await Promise.all(ports.map((port) => SlowLine.start(port, DELAY_MS)));
  cluster = await ClusterProcesses.start({
    servers: regions.length,
    envOf: (at) => ({
      REGION: regions[at],
      CLUSTER_LISTEN: `127.0.0.1:${ports[at]}`,
      CLUSTER_ADDRESS: `127.0.0.1:${lines[at]?.port}`,
    }),
  });
}

describe.skipIf(lacks("regions of a cluster", PROGRAMS.nats))("a request at a server without workers", () => {
  test("goes to its own region before another one that has more free slots, and to that one when its own is full", async () => {
    await start(["fra", "fra", "syd"]);
    const near = await cluster.scriptedWorker(1, { worker_id: "near", max_concurrency: 1 });
    const far = await cluster.scriptedWorker(2, { worker_id: "far", max_concurrency: 8 });
    const entry = cluster.server(0);
    for (const id of ["near", "far"])
      await eventually(async () => (await entry.fetch(`/api/llm/id/${id}/v1/models`)).ok, `the entry knows ${id}`);
    for (let count = 0; count < 5; count += 1) {
      const asked = entry.chat("m");
      near.answerJson((await near.request()).id, { choices: [] });
      expect((await asked).status).toBe(200);
    }
    expect(far.frames.waiting).toBe(0);
    const first = entry.chat("m");
    const held = await near.request();
    const second = entry.chat("m");
    far.answerJson((await far.request()).id, { choices: [], is: "far" });
    expect(await (await second).json()).toEqual({ choices: [], is: "far" });
    near.answerJson(held.id, { choices: [], is: "near" });
    expect(await (await first).json()).toEqual({ choices: [], is: "near" });
  }, 60_000);
});
