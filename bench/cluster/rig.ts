import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findNatsServer } from "../../src/demo/nats/find-nats-server.ts";
import type { Child, Children } from "../children.ts";
import { API_KEY, type MoorageServer, startServer } from "../moorage.ts";

/** A nats-server of a run. It keeps its port over a restart. */
export interface BenchNats extends Child {
  readonly url: string;
  readonly port: number;
}

/** All clients of a benchmark have one key. */
export const NO_LIMIT = { MAX_REQUESTS_PER_KEY: "10000" } as const;

const USER = "bench";
const PASSWORD = "loopback-only";

/** Starts a nats-server on the loopback, with JetStream. `port` is that of one which has ended. */
export async function startNats(children: Children, port = -1): Promise<BenchNats> {
  const found = findNatsServer({ onStep: (text) => console.error(text) });
  if (found.kind === "missing") throw new Error(`there is no nats-server: ${found.tried.join("; ")}`);
  const directory = mkdtempSync(join(children.directory, "nats-"));
  const config = join(directory, "nats.conf");
  writeFileSync(
    config,
    `authorization { user: ${USER}, password: "${PASSWORD}" }\njetstream { store_dir: ${JSON.stringify(directory)} }\n`,
  );
  const command = [found.path, "--config", config, "--addr", "127.0.0.1", "--port", String(port)];
  const child = await children.other(command, "client connections on ");
  const own = Number(/:(\d+)$/.exec(child.line.trim())?.[1]);
  return { ...child, port: own, url: `nats://${USER}:${PASSWORD}@127.0.0.1:${own}` };
}

/** Starts a server of the cluster that this NATS joins. */
export function startMember(
  children: Children,
  nats: { readonly url: string },
  id: string,
  env: Readonly<Record<string, string>> = {},
): Promise<MoorageServer> {
  return startServer(children, {
    NATS_URL: nats.url,
    SERVER_ID: id,
    CLUSTER_LISTEN: "127.0.0.1:0",
    ...NO_LIMIT,
    ...env,
  });
}

/** What the State API tells of a cluster, as far as the benchmarks read it. */
export interface SeenCluster {
  readonly bus: { readonly state: "up" | "away" };
  /** `since`: RFC 3339, when the state began. */
  readonly servers: readonly { readonly id: string; readonly state: string; readonly since: string }[];
}

export async function seenBy(server: Pick<MoorageServer, "get">): Promise<SeenCluster> {
  const { cluster } = JSON.parse(await server.get("/api/state")) as { cluster: SeenCluster }; // the State API's own tests check this shape
  return cluster;
}

/** Resolves when each of the servers can send jobs to `others` other ones. */
export async function formed(servers: readonly MoorageServer[], others = servers.length - 1): Promise<void> {
  for (const server of servers)
    await until(async () => (await seenBy(server)).servers.filter(({ state }) => state === "alive").length > others);
}

/** Resolves when the server lists the model. */
export async function served(server: MoorageServer, model: string): Promise<void> {
  await until(async () => (await server.get("/v1/models")).includes(`"${model}"`));
}

/** Asks every millisecond or as fast as answers come. Returns the milliseconds until `check` held. */
export async function until(check: () => Promise<boolean>, mostMs = 60_000): Promise<number> {
  const startedAt = performance.now();
  while (!(await check())) {
    if (performance.now() - startedAt > mostMs) throw new Error(`waited more than ${mostMs} ms`);
    await Bun.sleep(1);
  }
  return performance.now() - startedAt;
}

/** Sends a small chat. */
export function chat(server: { readonly url: string }, model: string, more: object = {}): Promise<Response> {
  return fetch(`${server.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "?" }], ...more }),
  });
}
