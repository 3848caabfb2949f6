import { afterEach, describe, expect, test } from "bun:test";
import { eventually } from "../../support/eventually.ts";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { NativeWorker } from "../../support/native-worker.ts";
import { TestNats } from "../../support/nats-server.ts";
import { ProgramRun } from "../../support/program-run.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ROOT = `${import.meta.dir}/../../..`;
const API_KEY = "api-key-0123456789abcdef";
const [KEY, OTHER_KEY] = ["client-key-0123456789abcdef", "another-key-0123456789abcdef"];
const BLOCKED = { code: 1008, reason: "blocked by an operator" };

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** The parts of the state that are read here. */
interface State {
  readonly plugins: {
    readonly llm: { readonly restrictions: readonly { readonly id: string; readonly drained: object | null }[] };
  };
}

interface Server {
  readonly run: ProgramRun;
  readonly url: string;
}

async function startServer(nats: TestNats, id: string, more: Readonly<Record<string, string>> = {}): Promise<Server> {
  const run = new ProgramRun(
    [process.execPath, "src/main.ts"],
    {
      PATH: process.env["PATH"] ?? "",
      PORT: "0",
      HOST: "127.0.0.1",
      PLUGINS: "llm",
      API_KEY,
      CLIENT_KEY: `${KEY},${OTHER_KEY}`,
      NATS_URL: nats.url,
      SERVER_ID: id,
      CLUSTER_LISTEN: "127.0.0.1:0",
      ...more,
    },
    ROOT,
  );
  ends.push(async () => {
    run.kill();
    await run.exited;
  });
  return { run, url: await run.url() };
}

async function startNats(): Promise<TestNats> {
  const nats = await TestNats.start();
  ends.push(() => nats.stop());
  return nats;
}

async function act({ url }: Server, action: string): Promise<number> {
  const headers = { authorization: `Bearer ${API_KEY}` };
  const response = await fetch(`${url}/api/state/workers/w/${action}`, { method: "POST", headers });
  return response.status;
}

function dial({ url }: Server, clientKey: string): NativeWorker {
  const worker = new NativeWorker({ url, register: { worker_id: "w", client_key: clientKey, models: ["m"] } });
  ends.push(() => worker.close());
  return worker;
}

/** Connects a worker as soon as its server lets it. */
async function connect(server: Server, clientKey: string): Promise<NativeWorker> {
  return eventually(async () => {
    const worker = dial(server, clientKey);
    return Promise.race([worker.registered().then(() => worker), worker.closed.then(() => undefined)]);
  }, "the worker is connected");
}

describe.skipIf(lacks("records of several servers on a real nats-server", PROGRAMS.nats))(
  "servers of a cluster",
  () => {
    test("block a worker everywhere when an operator blocks it anywhere, also after all of them have restarted", async () => {
      const nats = await startNats();
      const [a, b] = [await startServer(nats, "a"), await startServer(nats, "b")];
      const worker = await connect(b, KEY);
      expect(await act(a, "block")).toBe(200);
      expect(await worker.closed).toEqual(BLOCKED);
      expect(await dial(a, KEY).closed).toEqual(BLOCKED);
      expect(await dial(b, KEY).closed).toEqual(BLOCKED);
      await Promise.all([a, b].map(({ run }) => run.stop()));
      await nats.kill();
      await nats.restart();
      const [again, third] = [await startServer(nats, "b"), await startServer(nats, "c")];
      expect(await dial(again, KEY).closed).toEqual(BLOCKED);
      expect(await dial(third, KEY).closed).toEqual(BLOCKED);
      expect(await act(third, "unblock")).toBe(200);
      await connect(again, KEY);
    });

    test("drain a worker at once when an operator of another server does, and it stays drained where it connects next", async () => {
      const nats = await startNats();
      const [a, b] = [await startServer(nats, "a"), await startServer(nats, "b")];
      const isDrained = async ({ url }: Server): Promise<boolean> => {
        const response = await fetch(`${url}/api/state`, { headers: { authorization: `Bearer ${API_KEY}` } });
        const { plugins } = (await response.json()) as State;
        return plugins.llm.restrictions.some(({ id, drained }) => id === "w" && drained !== null);
      };
      const worker = await connect(b, KEY);
      expect(await eventually(async () => (await act(a, "drain")) === 200, "the worker is known")).toBe(true);
      await eventually(() => isDrained(b), "it is drained where it is connected");
      worker.close();
      await worker.closed;
      await connect(a, KEY);
      expect(await isDrained(a)).toBe(true);
      expect(await act(b, "undrain")).toBe(200);
      await eventually(async () => !(await isDrained(a)) && !(await isDrained(b)), "the drain is lifted");
    });

    test("give the id of a worker that has left to no worker with another key", async () => {
      const nats = await startNats();
      const [a, b] = [await startServer(nats, "a"), await startServer(nats, "b")];
      const worker = await connect(a, KEY);
      expect(await dial(b, OTHER_KEY).closed).toMatchObject({
        code: 1008,
        reason: expect.stringContaining("id in use"),
      });
      worker.close();
      await worker.closed;
      expect(await dial(b, OTHER_KEY).closed).toMatchObject({
        code: 1008,
        reason: expect.stringContaining("id in use"),
      });
      await connect(b, KEY);
      await Promise.all([a, b].map(({ run }) => run.stop()));
      const again = await startServer(nats, "a");
      expect(await dial(again, OTHER_KEY).closed).toMatchObject({ code: 1008 });
      await connect(again, KEY);
    });

    test("keep a copy under DATA_DIR, which counts while NATS is away at the start", async () => {
      const directory = temporaryDirectory();
      ends.push(() => directory.remove());
      const nats = await startNats();
      const [a, b] = [await startServer(nats, "a", { DATA_DIR: directory.path }), await startServer(nats, "b")];
      expect(await act(b, "block")).toBe(200);
      expect(await dial(a, KEY).closed).toEqual(BLOCKED);
      await a.run.stop();
      await nats.kill();
      const alone = await startServer(nats, "a", { DATA_DIR: directory.path });
      expect(await dial(alone, KEY).closed).toEqual(BLOCKED);
      // The operator's next order is given where the first server does not hear it.
      expect(await act(b, "unblock")).toBe(200);
      await nats.restart();
      await alone.run.event("cluster.joined");
      await connect(alone, KEY);
    });
  },
);
