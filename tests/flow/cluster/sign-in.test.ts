import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";

describe.skipIf(lacks("sign-ins of a cluster", PROGRAMS.nats))("an operator of one server process", () => {
  let cluster: ClusterProcesses;
  beforeAll(async () => {
    cluster = await ClusterProcesses.start();
  }, 60_000);
  afterAll(() => cluster.stop());

  test("gets a try token that all others accept, until the sign-in is ended at another one", async () => {
    const [first, second, third] = [cluster.server(0), cluster.server(1), cluster.server(2)];
    const signedIn = await fetch(`${first.url}/state/sign-in`, {
      method: "POST",
      body: new URLSearchParams({ key: first.operatorKey }),
      redirect: "manual",
    });
    const cookie = signedIn.headers.get("set-cookie")?.split(";")[0] ?? "";
    const issued = await fetch(`${first.url}/api/state/token`, { method: "POST", headers: { cookie } });
    const { token } = (await issued.json()) as { token: string }; // held by its own tests
    expect(token).toStartWith("try-");
    const status = async ({ url }: ClusterServer): Promise<number> =>
      (await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${token}` } })).status;
    for (const server of cluster.servers) expect(await status(server)).toBe(200);
    await fetch(`${second.url}/state/sign-out`, { method: "POST", headers: { cookie }, redirect: "manual" });
    for (const server of [first, second, third])
      await eventually(async () => (await status(server)) === 401, `${server.id} refuses it`);
  }, 60_000);
});
