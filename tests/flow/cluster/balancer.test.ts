import { afterEach, expect, test } from "bun:test";
import { type BalancedServer, Balancer } from "../../../src/demo/cluster/balancer.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

interface Answering extends BalancedServer {
  isTaking: boolean;
  stop(): unknown;
}

/** A server that answers with its name, and streams until the test ends for `/stream`. */
function answering(name: string): Answering {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: (request) =>
      request.url.endsWith("/stream")
        ? new Response(new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from(name)) }))
        : new Response(name, { headers: { connection: "close" } }),
  });
  stops.push(() => server.stop(true));
  return { port: server.port ?? 0, isTaking: true, stop: () => server.stop(true) };
}

async function balance(...servers: readonly BalancedServer[]): Promise<Balancer> {
  const balancer = await Balancer.start(0, servers);
  stops.push(() => balancer.stop());
  return balancer;
}

/** Asks on a new connection. */
const ask = async (balancer: Balancer): Promise<string> =>
  (await fetch(balancer.url, { keepalive: false, headers: { connection: "close" } })).text();

async function openStream(balancer: Balancer): Promise<string> {
  const response = await fetch(`${balancer.url}/stream`, { keepalive: false });
  const { value } = (await response.body?.getReader().read()) ?? {};
  return Buffer.from(value ?? []).toString();
}

test("the demo's balancer spreads connections over the servers that have fewest", async () => {
  const balancer = await balance(answering("a"), answering("b"));
  const names = [
    await openStream(balancer),
    await openStream(balancer),
    await openStream(balancer),
    await openStream(balancer),
  ];
  expect(names.toSorted()).toEqual(["a", "a", "b", "b"]);
});

test("the demo's balancer spreads connections that come at the same time", async () => {
  const balancer = await balance(answering("a"), answering("b"), answering("c"));
  const names = await Promise.all(Array.from({ length: 6 }, () => openStream(balancer)));
  expect(names.toSorted()).toEqual(["a", "a", "b", "b", "c", "c"]);
});

test("the demo's balancer passes a connection to another server if one is gone or takes none", async () => {
  const [gone, resting, up] = [answering("gone"), answering("resting"), answering("up")];
  await gone.stop();
  resting.isTaking = false;
  const balancer = await balance(gone, resting, up);
  expect([await ask(balancer), await ask(balancer)]).toEqual(["up", "up"]);
});

test("the demo's balancer disconnects a client that no server accepts", async () => {
  const gone = answering("gone");
  await gone.stop();
  const balancer = await balance(gone);
  await expect(ask(balancer)).rejects.toThrow();
});
