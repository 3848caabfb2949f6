import { afterEach, describe, expect, test } from "bun:test";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { freePort } from "../../support/proxy.ts";
import { SlowLine } from "../../support/slow-line.ts";

// Three server processes of two regions. A round trip between any two of them takes longer than one within a region.

const DELAY_MS = 20;
/** More than one, so that the region has a free slot after each answer, whenever the entry hears of it. */
const NEAR_SLOTS = 3;

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
    const near = await cluster.scriptedWorker(1, { worker_id: "near", max_concurrency: NEAR_SLOTS });
    const far = await cluster.scriptedWorker(2, { worker_id: "far", max_concurrency: 4 * NEAR_SLOTS });
    const entry = cluster.server(0);
    for (const id of ["near", "far"])
      await eventually(async () => (await entry.fetch(`/api/llm/id/${id}/v1/models`)).ok, `the entry knows ${id}`);
    for (let count = 0; count < 5; count += 1) {
      const answer = entry.chat("m");
      near.answerJson((await near.request()).id, { choices: [] });
      expect(await (await answer).json()).toEqual({ choices: [] });
    }
    expect(far.frames.waiting).toBe(0);
    const asked: Promise<Response>[] = [];
    const held: number[] = [];
    // The entry hears of a slot that has become free some time later, so a few of these may find no slot nearby.
    while (held.length < NEAR_SLOTS) {
      const answer = entry.chat("m");
      await eventually(() => near.frames.waiting + far.frames.waiting > 0, "a worker has the request");
      if (near.frames.waiting > 0) {
        held.push((await near.request()).id);
        asked.push(answer);
      } else {
        far.answerJson((await far.request()).id, { choices: [] });
        await (await answer).text();
      }
    }
    const onward = entry.chat("m");
    far.answerJson((await far.request()).id, { choices: [], is: "far" });
    expect(await (await onward).json()).toEqual({ choices: [], is: "far" });
    for (const id of held) near.answerJson(id, { choices: [], is: "near" });
    for (const answer of asked) expect(await (await answer).json()).toEqual({ choices: [], is: "near" });
  }, 60_000);
});
