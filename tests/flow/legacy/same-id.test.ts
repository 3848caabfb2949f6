import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { LegacyWorker } from "../../support/legacy-worker.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { TcpProxy } from "../../support/tcp-proxy.ts";
import { CLIENT_KEY, TestServer } from "../../support/test-server.ts";

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function keep<T extends { stop(): unknown }>(each: T): T {
  running.push(each);
  return each;
}

/** The id that agents without a `CLIENT_ID` have when they start in the same second. */
const ID = "20251126101010";

/** Connects a scripted agent of that id. */
function connect(server: { readonly url: string }, more: object = {}, key = CLIENT_KEY): LegacyWorker {
  const agent = new LegacyWorker({
    url: server.url,
    headers: { authorization: `Bearer ${key}` },
    register: { worker_id: ID, models: ["m"], max_concurrency: 1, ...more },
  });
  keep({ stop: () => agent.kill() });
  return agent;
}

async function idsOf(server: TestServer): Promise<readonly string[]> {
  return (await server.state()).workers.map(({ id }) => id).sort();
}

function untilIds(server: TestServer, ...expected: string[]): Promise<unknown> {
  return eventually(async () => (await idsOf(server)).join() === expected.join(), `the workers are ${expected}`);
}

describe("legacy agents with one id", () => {
  test("are all served, under the id and numbers after it, and none is thrown out", async () => {
    const server = keep(new TestServer());
    const agents = [connect(server)];
    await untilIds(server, ID);
    for (const place of [2, 3]) {
      agents.push(connect(server));
      await eventually(async () => (await idsOf(server)).length === place, `number ${place} is there`);
    }
    expect(await idsOf(server)).toEqual([ID, `${ID}.2`, `${ID}.3`]);
    const answers = agents.map(() => server.chat("m"));
    for (const [at, agent] of agents.entries()) agent.answerJson((await agent.request()).request_id, { at });
    const texts = await Promise.all(answers.map(async (answer) => (await answer).text()));
    expect(texts.sort()).toEqual(['{"at":0}', '{"at":1}', '{"at":2}']);
    expect(agents.map(({ socket }) => socket.readyState)).toEqual([1, 1, 1]);
  });

  test("that connect at once are all served", async () => {
    const server = keep(new TestServer());
    for (let count = 0; count < 20; count += 1) connect(server);
    await eventually(async () => (await idsOf(server)).length === 20, "all are there");
    expect(new Set(await idsOf(server)).size).toBe(20);
  });

  test("take their own id again when they come back", async () => {
    const server = keep(new TestServer());
    const first = connect(server);
    await untilIds(server, ID);
    connect(server);
    await untilIds(server, ID, `${ID}.2`);
    first.kill();
    await untilIds(server, `${ID}.2`);
    connect(server);
    await untilIds(server, ID, `${ID}.2`);
  });

  test("keep what they say before they have an id", async () => {
    const server = keep(new TestServer());
    connect(server);
    await untilIds(server, ID);
    const second = connect(server, { models: [], max_concurrency: 0 });
    await second.opened;
    second.send({ type: "status_update", max_concurrency: 3, models: ["late"], status: "idle" });
    await untilIds(server, ID, `${ID}.2`);
    const state = await server.state();
    expect(state.workers.find(({ id }) => id === `${ID}.2`)).toMatchObject({ max_concurrency: 3, models: ["late"] });
  });

  test("that leave while they wait for an id leave nothing behind", async () => {
    const clock = new FakeClock();
    const server = keep(new TestServer({}, { clock }));
    connect(server);
    await untilIds(server, ID);
    const second = connect(server);
    await second.opened;
    second.kill();
    await second.closed;
    clock.advance(10_000);
    expect(await idsOf(server)).toEqual([ID]);
  });

  test("of which one belongs to another key get no id of that key", async () => {
    const server = keep(new TestServer({ clientKeys: [CLIENT_KEY, "other-key"] }));
    connect(server, { worker_id: `${ID}.2` }, "other-key");
    await untilIds(server, `${ID}.2`);
    connect(server);
    await untilIds(server, ID, `${ID}.2`);
    connect(server);
    await untilIds(server, ID, `${ID}.2`, `${ID}.3`);
    const thief = connect(server, {}, "other-key");
    expect((await thief.closed).reason).toStartWith("id in use: another key owns it");
  });
});

test("a legacy agent whose connection broke without the server's knowledge gets its own id back", async () => {
  const clock = new FakeClock();
  const server = keep(new TestServer({}, { clock }));
  const line = keep(await TcpProxy.start(server.url));
  connect(line);
  await untilIds(server, ID);
  line.swallow();
  const since = (await server.state()).workers[0]?.["connected_at"];
  const again = connect(server);
  await eventually(async () => {
    clock.advance(100);
    return (await server.state()).workers[0]?.["connected_at"] !== since;
  }, "the old session is replaced");
  expect(await idsOf(server)).toEqual([ID]);
  const answer = server.chat("m");
  again.answerJson((await again.request()).request_id, { from: "again" });
  expect(await (await answer).json()).toEqual({ from: "again" });
});

test("a legacy agent does not throw out a native worker of its id, which replaces the agent's session in turn", async () => {
  const server = keep(new TestServer());
  const native = await server.worker({ worker_id: ID });
  connect(server);
  await untilIds(server, ID, `${ID}.2`);
  native.kill();
  await untilIds(server, `${ID}.2`);
  const agent = connect(server);
  await untilIds(server, ID, `${ID}.2`);
  await NativeWorker.connect({ url: server.url, register: { client_key: CLIENT_KEY, worker_id: ID, models: ["m"] } });
  expect(await agent.closed).toEqual({ code: 4001, reason: "replaced" });
});
