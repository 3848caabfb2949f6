import { afterEach, describe, expect, test } from "bun:test";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer } from "../../support/cluster-server.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { NativeWorker } from "../../support/native-worker.ts";

const ADMIN_KEY = "admin-key-0123456789abcdef";
/** The longest time from the revocation of a credential to the end of its worker's socket. */
const REVOKED_MS = 1000;
const USES = 3;

let cluster: ClusterProcesses | undefined;
afterEach(async () => {
  await cluster?.stop();
  cluster = undefined;
});

/** Sends a request as an operator. Tests of the routes check the shapes of answers. */
// biome-ignore lint/suspicious/noExplicitAny: the shapes are tested elsewhere
async function ask(server: ClusterServer, method: string, path: string, body?: object): Promise<any> {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" };
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) };
  return (await fetch(`${server.url}${path}`, init)).json();
}

describe.skipIf(lacks("join tokens of several servers on a real nats-server", PROGRAMS.nats))("a join token", () => {
  test("lets in as many workers as it may, of ten that ask two servers at once, and each is disconnected by a revocation elsewhere", async () => {
    cluster = await ClusterProcesses.start({ servers: 2, env: { ADMIN_KEY, PLUGINS: "llm" } });
    const [a, b] = [cluster.server(0), cluster.server(1)];
    const token = await ask(a, "POST", "/api/keys", { kind: "join", name: "rack", max_uses: USES });
    await eventually(async () => (await ask(b, "GET", `/api/keys/${token.id}`)).id === token.id, "b knows the token");

    const outcomes = await Promise.all(
      Array.from({ length: 10 }, async (_, at) => {
        const server = at % 2 === 0 ? a : b;
        const register = { join_token: token.key, join_proof: `proof-of-${at}`, worker_id: `gpu-${at}`, models: ["m"] };
        const worker = new NativeWorker({ url: server.url, register });
        const refused = worker.closed.then(({ reason }) => reason);
        const joined = await Promise.race([worker.registered(), refused]);
        return { at, server, worker, joined };
      }),
    );
    const joined = outcomes.filter((each) => typeof each.joined === "object");
    const refused = outcomes.filter((each) => typeof each.joined === "string");
    expect(joined).toHaveLength(USES);
    expect(new Set(refused.map((each) => each.joined))).toEqual(new Set(["join token used up"]));
    for (const server of [a, b]) {
      await eventually(async () => (await ask(server, "GET", "/api/keys?kind=worker")).total === USES, server.id);
      expect(await ask(server, "GET", `/api/keys/${token.id}`)).toMatchObject({ uses: USES, status: "used_up" });
    }

    const { data } = await ask(a, "GET", "/api/keys?kind=worker");
    for (const { at, server, worker } of joined) {
      const { id } = data.find((key: { worker_id: string }) => key.worker_id === `gpu-${at}`);
      const revoked = await ask(server === a ? b : a, "DELETE", `/api/keys/${id}`);
      expect(revoked.status).toBe("revoked");
      const revokedAt = performance.now();
      expect(await worker.closed).toEqual({ code: 1008, reason: "client key removed" });
      expect(performance.now() - revokedAt).toBeLessThan(REVOKED_MS);
    }
  }, 60_000);
});
