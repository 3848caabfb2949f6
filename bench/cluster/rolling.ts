import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Balancer } from "../../src/demo/cluster/balancer.ts";
import { findNatsServer } from "../../src/demo/nats/find-nats-server.ts";
import type { Child, Children } from "../children.ts";
import { type MoorageServer, startWorker } from "../moorage.ts";
import type { PartResult } from "../report.ts";
import { chat, formed, served, startMember } from "./rig.ts";

const SERVERS = 3;
const STREAMS = 200;
const STREAM_CHUNKS = 80;
const GAP_MS = 50;
const CHAT_EVERY_MS = 50;
/** How often the balancer's health checks run; they must be faster than `DRAIN_DELAY`. */
const CHECK_EVERY_MS = 250;

/** Longer than `DRAIN_DELAY` and a stream together. */
const STOP_MS = 60_000;

/** A member whose port stays the same over restarts, behind the balancer. */
interface Place {
  readonly id: string;
  readonly port: number;
  isTaking: boolean;
  server: MoorageServer;
}

/** Restarts three servers and three nats-servers, one after the other, under streams and chats. */
export async function measureRollingRestart(children: Children): Promise<PartResult> {
  const nats = await startNatsCluster(children);
  const url = nats.map(({ url: each }) => each).join(",");
  const env = { DRAIN_DELAY: "2s", DRAIN_TIMEOUT: "30s" };
  const places: Place[] = [];
  for (let at = 0; at < SERVERS; at += 1) {
    const server = await startMember(children, { url }, `s${at}`, env);
    places.push({ id: `s${at}`, port: Number(new URL(server.url).port), isTaking: true, server });
  }
  await formed(places.map(({ server }) => server));
  const balancer = await Balancer.start(0, places);
  const checks = setInterval(() => void check(places), CHECK_EVERY_MS);
  const backend = await children.helper("backend.ts");
  for (let at = 0; at < SERVERS; at += 1)
    await startWorker(children, "llm", balancer, backend, `worker-${at}`, ["--max-concurrency", "400"]);
  for (const { server } of places) await served(server, "bench-chat");

  const load = startLoad(balancer);
  const startedAt = performance.now();
  for (const place of places) {
    await place.server.stop(STOP_MS);
    place.server = await startMember(children, { url }, place.id, { ...env, PORT: String(place.port) });
    await formed(places.map(({ server }) => server));
  }
  for (const node of nats) {
    await node.restart();
    await Bun.sleep(1000);
  }
  await formed(places.map(({ server }) => server));
  const tookS = (performance.now() - startedAt) / 1000;
  const { streams, brokenStreams, chats, failedChats, wrong } = await load.stop();
  clearInterval(checks);
  await balancer.stop();
  if (wrong !== undefined) console.error(`the first failure: ${wrong}`);
  const goal = (what: string, failed: number, of: number) => ({
    what: `rolling restart of ${SERVERS} servers and ${SERVERS} nats-servers: ${what}`,
    measured: `${failed} of ${of.toLocaleString("en")}`,
    wanted: "0",
    isMet: failed === 0,
  });
  return {
    goals: [
      goal(`streams that failed, ${STREAMS} at a time`, brokenStreams, streams),
      goal("chats that were not 200", failedChats, chats),
    ],
    report: {
      title: "Cluster: rolling restart",
      method: `${SERVERS} workers and all clients know one address, that of a load balancer which asks for the health of each server every ${CHECK_EVERY_MS} ms. The restarts took ${tookS.toFixed(0)} s in all.`,
      tables: [],
    },
  };
}

/** Takes servers that are not healthy out of the balancer. */
async function check(places: readonly Place[]): Promise<void> {
  await Promise.all(
    places.map(async (place) => {
      place.isTaking = await fetch(`http://127.0.0.1:${place.port}/healthz`, {
        signal: AbortSignal.timeout(1000),
      }).then(
        ({ ok }) => ok,
        () => false,
      );
    }),
  );
}

function startLoad(target: { readonly url: string }) {
  const counts = { streams: 0, brokenStreams: 0, chats: 0, failedChats: 0, wrong: undefined as string | undefined };
  let isOver = false;
  const stream = async (): Promise<void> => {
    const more = { stream: true, chunks: STREAM_CHUNKS, gap_ms: GAP_MS };
    while (!isOver) {
      counts.streams += 1;
      const text = await chat(target, "bench-chat", more)
        .then((response) => response.text())
        .catch(String);
      if (text.endsWith("data: [DONE]\n\n")) continue;
      counts.brokenStreams += 1;
      counts.wrong ??= text.slice(-300);
    }
  };
  const chats: Promise<void>[] = [];
  const ask = async (): Promise<void> => {
    counts.chats += 1;
    const status = await chat(target, "bench-chat")
      .then(async (response) => `${response.status} ${await response.text()}`)
      .catch(String);
    if (status.startsWith("200")) return;
    counts.failedChats += 1;
    counts.wrong ??= status;
  };
  const timer = setInterval(() => chats.push(ask()), CHAT_EVERY_MS);
  const streams = Array.from({ length: STREAMS }, stream);
  const stop = async () => {
    isOver = true;
    clearInterval(timer);
    await Promise.all([...streams, ...chats]);
    return counts;
  };
  return { stop };
}

interface Node {
  readonly url: string;
  restart(): Promise<void>;
}

/** Starts three nats-servers that form a cluster of their own. */
async function startNatsCluster(children: Children): Promise<readonly Node[]> {
  const found = findNatsServer();
  if (found.kind === "missing") throw new Error(`there is no nats-server: ${found.tried.join("; ")}`);
  const ports = await freePorts(2 * SERVERS);
  const [clients, routes] = [ports.slice(0, SERVERS), ports.slice(SERVERS)];
  const commands = clients.map((port, at) => {
    const directory = mkdtempSync(join(children.directory, "nats-"));
    const config = join(directory, "nats.conf");
    const others = routes.map((route) => `"nats-route://127.0.0.1:${route}"`).join(", ");
    writeFileSync(
      config,
      `server_name: n${at}
listen: "127.0.0.1:${port}"
authorization { user: bench, password: "loopback-only" }
jetstream { store_dir: ${JSON.stringify(directory)} }
cluster { name: bench, listen: "127.0.0.1:${routes[at]}", routes: [${others}] }
`,
    );
    return [found.path, "--config", config];
  });
  const start = (command: readonly string[]): Promise<Child> => children.other(command, "Server is ready");
  const running = await Promise.all(commands.map(start));
  return clients.map((port, at) => ({
    url: `nats://bench:loopback-only@127.0.0.1:${port}`,
    async restart() {
      await running[at]?.stop();
      running[at] = await start(commands[at] ?? []);
    },
  }));
}

async function freePorts(count: number): Promise<number[]> {
  const listeners = Array.from({ length: count }, () =>
    Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }),
  );
  const ports = listeners.map(({ port }) => port);
  for (const listener of listeners) listener.stop(true);
  return ports;
}
