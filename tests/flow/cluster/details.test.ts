import { afterEach, expect, test } from "bun:test";
import type { JobDetail, ModelDetail, WorkerDetail } from "../../../src/plugin/details.ts";
import { eventually } from "../../support/eventually.ts";
import { ServerCluster } from "../../support/server-cluster.ts";
import { API_KEY, type TestServer } from "../../support/test-server.ts";

let all: ServerCluster | undefined;
afterEach(() => all?.stop());

interface Answer {
  readonly missing_servers: readonly string[];
}

async function read<D>(server: TestServer, path: string): Promise<D & Answer> {
  const response = await server.fetch(`/api/state/${path}`);
  expect(response.status).toBe(200);
  return response.json() as Promise<D & Answer>; // the flow tests of one server check this shape
}

test("any server answers for the workers, models and jobs of all", async () => {
  all = await ServerCluster.start(["a", "b", "c"], { adminKeys: [API_KEY] });
  const [a, b, c] = all.members.map(({ server }) => server) as [TestServer, TestServer, TestServer];
  const worker = await b.worker({ worker_id: "w", worker_name: "gpu-1", models: ["org/m"] });
  await eventually(async () => (await (await a.fetch("/v1/models")).text()).includes("org/m"));

  const answer = a.chat("org/m", { stream: true }, { headers: { "x-request-id": "asked-a" } });
  const request = await worker.request();
  // Before the answer begins, a does not know which of b's workers has the job.
  worker.head(request.id, 200, undefined, "data: {}\n\n");
  await eventually(async () => (await a.state()).jobs[0]?.status === "streaming");
  // The worker is b's, the job is a's, and c is asked.
  const told = await read<WorkerDetail>(c, "workers/w");
  expect(told).toMatchObject({ server: "b", name: "gpu-1", connected: true, missing_servers: [] });
  expect(told.sessions).toMatchObject([{ server: "b", gone_at: null }]);
  expect(told.jobs).toMatchObject([{ request_id: "asked-a", server: "a", worker: { id: "w", server: "b" } }]);
  const [job] = told.jobs;
  expect(await read<JobDetail>(b, `jobs/${job?.id}`)).toMatchObject({ id: job?.id, server: "a", status: "streaming" });

  worker.breakOff(request.id, "upstream_error");
  await (await answer).text().catch(() => "");
  const ended = await read<JobDetail>(c, "jobs/asked-a");
  expect(ended).toMatchObject({
    id: job?.id,
    server: "a",
    status: "failed",
    cause: "backend",
    attempts: [{ worker: { id: "w", name: "gpu-1", server: "b" }, reason: "upstream_error" }],
  });
  await eventually(async () => (await read<WorkerDetail>(a, "workers/w")).errors.length === 1);
  expect((await read<WorkerDetail>(a, "workers/w")).errors).toMatchObject([
    { server: "b", reason: "upstream_error", worker: { id: "w", server: "b" } },
  ]);

  const model = await read<ModelDetail>(c, "models/org%2Fm");
  expect(model).toMatchObject({
    id: "org/m",
    workers: [{ id: "w", server: "b" }],
    workers_total: 1,
    slots_total: 1,
    totals: { requests: 1, failures: 1 },
    causes: { backend: 1 },
    errors: [{ server: "a", request_id: "asked-a" }],
    missing_servers: [],
  });
  for (const path of ["workers/nobody", "models/none", "jobs/never"])
    expect((await c.fetch(`/api/state/${path}`)).status).toBe(404);
});

test("a worker that moves to another server keeps its past", async () => {
  all = await ServerCluster.start(["a", "b"], { adminKeys: [API_KEY] });
  const [a, b] = all.members.map(({ server }) => server) as [TestServer, TestServer];
  const first = await a.worker({ worker_id: "w", worker_name: "before" });
  first.close();
  await eventually(async () => !(await read<WorkerDetail>(b, "workers/w")).connected);
  await b.worker({ worker_id: "w", worker_name: "after" });
  const told = await read<WorkerDetail>(a, "workers/w");
  expect(told).toMatchObject({ server: "b", name: "after", connected: true });
  expect(told.sessions.map(({ server, gone_at }) => [server, gone_at === null])).toEqual([
    ["b", true],
    ["a", false],
  ]);
});
