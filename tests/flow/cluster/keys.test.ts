import { afterEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { ClusterProcesses } from "../../support/cluster-processes.ts";
import type { ClusterServer, Env } from "../../support/cluster-server.ts";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ADMIN_KEY = "admin-key-0123456789abcdef";
/** How long a revocation may take to count on all servers. */
const REVOKED_MS = 2000;
const PATIENCE_MS = 20_000;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function start(env: Env = {}, more: { readonly servers?: number; readonly envOf?: (at: number) => Env } = {}) {
  const cluster = await ClusterProcesses.start({ env: { ADMIN_KEY, PLUGINS: "llm", ...env }, ...more });
  ends.push(() => cluster.stop());
  return cluster;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the shapes are tested elsewhere
  readonly body: any;
}

async function ask(
  server: ClusterServer,
  method: string,
  path: string,
  body?: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json", ...headers },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Creates a key, and waits until all servers accept it. */
async function createKey(servers: readonly ClusterServer[], body: object): Promise<{ id: string; key: string }> {
  const [first] = servers;
  if (!first) throw new Error("no server");
  const { status, body: made } = await ask(first, "POST", "/api/keys", { name: "ci", ...body });
  expect(status).toBe(201);
  for (const server of servers)
    await eventually(async () => (await ask(server, "GET", `/api/keys/${made.id}`)).status === 200);
  return made;
}

async function codeFor(server: ClusterServer, key: string): Promise<string | number> {
  const response = await server.fetch("/v1/models", { headers: { authorization: `Bearer ${key}` } });
  return response.ok ? response.status : ((await response.json()) as { error: { code: string } }).error.code;
}

describe.skipIf(lacks("created keys of several servers on a real nats-server", PROGRAMS.nats))(
  "keys of a cluster",
  () => {
    test("are accepted by every server, and a revocation ends a stream, a waiting request and a worker elsewhere", async () => {
      const cluster = await start();
      const [a, b, c] = [cluster.server(0), cluster.server(1), cluster.server(2)];
      const client = await createKey([a, b, c], { limits: { parallel: 1 } });
      const admin = await createKey([b, c, a], { kind: "admin" });
      const held = await createKey([c, a, b], { kind: "worker" });
      for (const server of [a, b, c]) expect(await codeFor(server, client.key)).toBe(200);
      expect(
        (await ask(c, "GET", "/api/keys", undefined, { authorization: `Bearer ${admin.key}` })).body.data,
      ).toHaveLength(3);

      const serving = await cluster.workerOfM(1, { max_concurrency: 2 });
      const own: NativeWorker = await cluster.scriptedWorker(2, { client_key: held.key, models: ["other"] });
      const authorization = { headers: { authorization: `Bearer ${client.key}` } };
      const stream = await startStream(b, serving, authorization);
      const waiting = b.chat("m", {}, authorization);
      await b.waiting(1);

      const usedAt = async () => (await ask(a, "GET", `/api/keys/${held.id}`)).body.last_used_at;
      await eventually(async () => (await usedAt()) !== null, "another server knows of the use", PATIENCE_MS);

      const before = performance.now();
      expect((await ask(a, "DELETE", `/api/keys/${client.id}`)).status).toBe(200);
      expect(await stream.text()).toContain("key_revoked");
      expect((await waiting).status).toBe(401);
      for (const server of [a, b, c])
        await eventually(async () => (await codeFor(server, client.key)) === "key_revoked", server.id, REVOKED_MS);
      expect((await ask(b, "DELETE", `/api/keys/${held.id}`)).status).toBe(200);
      expect(await own.closed).toEqual({ code: 1008, reason: "client key removed" });
      expect(performance.now() - before).toBeLessThan(2 * REVOKED_MS);
    }, 60_000);

    test("are created once by a request that reaches two servers, and rotated once", async () => {
      const cluster = await start({}, { servers: 2 });
      const [a, b] = [cluster.server(0), cluster.server(1)];
      const once = { "idempotency-key": "deploy-42" };
      const answers = await Promise.all(
        [a, b, a, b].map((server) => ask(server, "POST", "/api/keys", { name: "once" }, once)),
      );
      const made = answers.filter(({ status }) => status === 201);
      const refused = answers.filter(({ status }) => status !== 201);
      expect(new Set(made.map(({ body }) => body.key)).size).toBe(1);
      expect(refused.map(({ body }) => body.error.code)).toEqual(["key_already_shown", "key_already_shown"]);
      for (const server of [a, b]) expect((await ask(server, "GET", "/api/keys")).body.data).toHaveLength(1);
      const { id } = made[0]?.body ?? {};
      const rotated = await Promise.all(
        [a, b].map((server) => ask(server, "POST", `/api/keys/${id}/rotate`, { overlap: "1h" }, once)),
      );
      expect(rotated.map(({ status }) => status).toSorted()).toEqual([200, 409]);
      const { key } = rotated.find(({ status }) => status === 200)?.body ?? {};
      for (const server of [a, b]) {
        await eventually(async () => (await codeFor(server, key)) === 200);
        expect((await ask(server, "GET", `/api/keys/${id}`)).body.former).toHaveLength(1);
      }
      const patches = Array.from({ length: 10 }, (_, at) =>
        ask(at % 2 === 0 ? a : b, "PATCH", `/api/keys/${id}`, {
          limits: { [LIMITS[at % LIMITS.length] ?? ""]: at + 1 },
        }),
      );
      for (const { status } of await Promise.all(patches)) expect(status).toBe(200);
      await eventually(async () => {
        const [ofA, ofB] = await Promise.all([a, b].map((server) => ask(server, "GET", `/api/keys/${id}`)));
        return (
          Object.keys(ofA?.body.limits).length === LIMITS.length && Bun.deepEquals(ofA?.body.limits, ofB?.body.limits)
        );
      });
    }, 60_000);

    test("survive the restart of NATS and of all servers without DATA_DIR, and let nobody in until they are known", async () => {
      const directory = temporaryDirectory();
      ends.push(() => directory.remove());
      const envOf = (at: number): Env => (at === 0 ? { DATA_DIR: directory.path } : {});
      const cluster = await start({ API_KEY: undefined }, { servers: 2, envOf });
      const [a, b] = [cluster.server(0), cluster.server(1)];
      const { id, key } = await createKey([b, a], {});
      const ended = await createKey([a, b], { name: "ended" });
      expect((await ask(a, "DELETE", `/api/keys/${ended.id}`)).status).toBe(200);
      await Promise.all([a, b].map((server) => server.stop()));
      await cluster.nats.kill();
      await Promise.all([a, b].map((server) => server.start()));
      expect(await codeFor(a, key)).toBe(200);
      expect(await codeFor(a, ended.key)).toBe("key_revoked");
      expect(await codeFor(b, key)).toBe("key_not_confirmed");
      // The only keys of clients are created ones, of which this server knows none yet.
      expect((await fetch(`${b.url}/v1/models`)).status).toBe(401);
      const worker = new NativeWorker({ url: b.url, register: { client_key: key, models: ["m"] } });
      expect(await worker.closed).toEqual({ code: 1013, reason: "key not confirmed" });
      await cluster.nats.restart();
      for (const server of [a, b]) {
        await eventually(async () => (await codeFor(server, key)) === 200, server.id, PATIENCE_MS);
        expect(await codeFor(server, ended.key)).toBe("key_revoked");
        expect((await ask(server, "GET", `/api/keys/${id}`)).status).toBe(200);
      }
    }, 90_000);

    test("go on as last known while NATS is away, for KEYS_STALE_MAX, and cannot be changed meanwhile", async () => {
      const cluster = await start({ KEYS_STALE_MAX: "8s" }, { servers: 2 });
      const [a, b] = [cluster.server(0), cluster.server(1)];
      const { id, key } = await createKey([a, b], {});
      await cluster.nats.kill();
      await eventually(
        async () => (await ask(a, "PATCH", `/api/keys/${id}`, { weight: 2 })).status === 503,
        "it is away",
        PATIENCE_MS,
      );
      const refused = await ask(a, "DELETE", `/api/keys/${id}`);
      expect([refused.status, refused.body.error.code, refused.headers.get("retry-after")]).toEqual([
        503,
        "keys_unavailable",
        "5",
      ]);
      expect((await ask(b, "POST", "/api/keys", { name: "x" })).body.error.code).toBe("keys_unavailable");
      expect(await codeFor(b, key)).toBe(200);
      const problemOf = async (server: ClusterServer): Promise<string | undefined> => {
        const { server: own } = (await ask(server, "GET", "/api/state")).body;
        return own.problems.find(({ code }: { code: string }) => code.startsWith("cluster_keys_"))?.title;
      };
      await eventually(async () => (await problemOf(a))?.includes("accepted as last known, until 20"), "it is told");
      await eventually(async () => (await codeFor(b, key)) === "key_not_confirmed", "the time is over", PATIENCE_MS);
      expect((await b.fetch("/v1/models")).status).toBe(200);
      await eventually(async () => (await problemOf(b))?.includes("503"), "it is told");
      await cluster.nats.restart();
      await eventually(async () => (await codeFor(b, key)) === 200, "it is back", PATIENCE_MS);
      await eventually(
        async () => (await ask(a, "DELETE", `/api/keys/${id}`)).status === 200,
        "keys can be changed",
        PATIENCE_MS,
      );
      await eventually(async () => (await codeFor(b, key)) === "key_revoked", "it is revoked", REVOKED_MS);
      await eventually(async () => (await problemOf(b)) === undefined, "nothing is left of it");
    }, 90_000);

    test("that are revoked while a server is frozen are refused by it when it goes on", async () => {
      const cluster = await start({}, { servers: 2 });
      const [a, b] = [cluster.server(0), cluster.server(1)];
      const { id, key } = await createKey([a, b], {});
      b.freeze();
      expect((await ask(a, "DELETE", `/api/keys/${id}`)).status).toBe(200);
      b.thaw();
      await eventually(async () => (await codeFor(b, key)) === "key_revoked", "it is revoked", REVOKED_MS);
    }, 60_000);

    test("of KEYS_FILE are told to differ until all servers have the same file", async () => {
      const directory = temporaryDirectory();
      ends.push(() => directory.remove());
      const write = (at: number, name: string): void =>
        writeFileSync(`${directory.path}/${at}.yaml`, `keys: [{ name: ${name}, key: "sha256:${"ab".repeat(32)}" }]\n`);
      for (const at of [0, 1]) write(at, "ci");
      const envOf = (at: number): Env => ({ KEYS_FILE: `${directory.path}/${at}.yaml`, API_KEY: undefined });
      const cluster = await start({}, { servers: 2, envOf });
      const [a, b] = [cluster.server(0), cluster.server(1)];
      const areDifferent = async (): Promise<boolean> => (await a.problems()).includes("cluster_keys_differ");
      expect(await areDifferent()).toBe(false);
      write(1, "other");
      await eventually(areDifferent, "it is told", PATIENCE_MS);
      await eventually(
        async () => (await b.problems()).includes("cluster_keys_differ"),
        "the other one tells it",
        PATIENCE_MS,
      );
      write(0, "other");
      await eventually(async () => !(await areDifferent()), "they are the same", PATIENCE_MS);
    }, 60_000);

    test("travel over NATS as hashes only", async () => {
      const cluster = await start({}, { servers: 2 });
      const { username: user, password: pass } = new URL(cluster.nats.url);
      const connection = await connect({ servers: `127.0.0.1:${cluster.nats.port}`, user, pass });
      ends.push(() => connection.close());
      const seen: string[] = [];
      const all = connection.subscribe(">", {
        callback: (_error, message) => void seen.push(`${message.subject} ${message.string()}`),
      });
      await connection.flush();
      const [a, b] = [cluster.server(0), cluster.server(1)];
      const { id, key } = await createKey([a, b], {});
      const { body } = await ask(b, "POST", `/api/keys/${id}/rotate`, { overlap: "1h" });
      expect(await codeFor(a, key)).toBe(200);
      await ask(a, "DELETE", `/api/keys/${id}`);
      await eventually(async () => (await codeFor(b, body.key)) === "key_revoked");
      all.unsubscribe();
      const heard = seen.join("\n");
      expect(heard).toContain(`key.${id}`);
      for (const text of [key, String(body.key), ADMIN_KEY]) expect(heard).not.toContain(text.split("_")[2] ?? text);
    }, 60_000);
  },
);

const LIMITS = ["parallel", "max_waiting", "requests_per_minute", "tokens_per_minute", "tokens_per_day"];

/** Begins a stream at a server, whose worker has sent its first bytes. */
async function startStream(server: ClusterServer, worker: NativeWorker, init: RequestInit): Promise<Response> {
  const asked = server.chat("m", { stream: true }, init);
  worker.head((await worker.request()).id, 200, undefined, 'data: {"choices":[]}\n\n');
  return asked;
}
