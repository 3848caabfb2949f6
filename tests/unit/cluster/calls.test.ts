import { expect, test } from "bun:test";
import { MAX_MESSAGE_BYTES } from "../../../src/cluster/bus.ts";
import { ClusterCalls } from "../../../src/cluster/calls.ts";
import { createSubjects } from "../../../src/cluster/subjects.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { type MemoryBus, MemoryNetwork, type Weather } from "../../support/memory-bus.ts";
import { turn } from "../../support/turn.ts";

const subjects = createSubjects("moorage");

function createRig(weather: Weather = {}) {
  const clock = new FakeClock();
  const network = new MemoryNetwork(clock, weather);
  const logged: string[] = [];
  const line = (event: string): void => void logged.push(event);
  const log = { debug: line, info: line, warn: line, error: line, with: () => log };
  const join = (serverId: string): { readonly bus: MemoryBus; readonly calls: ClusterCalls } => {
    const bus = network.join(serverId);
    return { bus, calls: new ClusterCalls({ serverId, subjects, bus, clock, log }) };
  };
  /** Moves the clock in small steps until the promise has settled. */
  async function settle<T>(promise: Promise<T>): Promise<T> {
    let isDone = false;
    void promise.finally(() => {
      isDone = true;
    });
    for (let step = 0; step < 1000 && !isDone; step += 1) {
      await turn();
      clock.advance(10);
    }
    return promise;
  }
  return { clock, network, join, settle, logged };
}

test("a question reaches the server that it names, and its answer comes back", async () => {
  const { join, settle } = createRig({ delayMs: [1, 5] });
  const [a, b, c] = [join("a"), join("b"), join("c")];
  b.calls.answer("add", (body, from) => ({ body, from }));
  c.calls.answer("add", () => "not me");
  expect(await settle(a.calls.ask("b", "add", { x: 1 }, 100))).toEqual({
    kind: "answer",
    body: { body: { x: 1 }, from: "a" },
  });
});

test("a server answers its own questions, also while the bus is down", async () => {
  const { join, settle } = createRig();
  const { bus, calls } = join("a");
  calls.answer("echo", (body) => Promise.resolve(body));
  bus.disconnect();
  expect(await settle(calls.ask("a", "echo", [1, "two"], 100))).toEqual({ kind: "answer", body: [1, "two"] });
});

test("a handler that returns nothing answers null", async () => {
  const { join, settle } = createRig();
  const [a, b] = [join("a"), join("b")];
  b.calls.answer("note", () => undefined);
  expect(await settle(a.calls.ask("b", "note", undefined, 100))).toEqual({ kind: "answer", body: null });
});

test("questions that fail again and again become one line in the log every 10 seconds", async () => {
  const { join, settle, logged, clock } = createRig();
  const [a, b] = [join("a"), join("b")];
  b.calls.answer("throw", () => {
    throw new TypeError("not a question");
  });
  const asked = Array.from({ length: 100 }, (_, n) => a.calls.ask("b", "throw", n, 100));
  expect(new Set((await settle(Promise.all(asked))).map(({ kind }) => kind))).toEqual(new Set(["failed"]));
  expect(logged).toEqual(["cluster.answer_failed"]);
  clock.advance(10_000);
  expect(logged).toEqual(["cluster.answer_failed", "cluster.answer_failed"]);
});

test("a question says why it has no answer", async () => {
  const { join, settle, network, logged } = createRig();
  const [a, b] = [join("a"), join("b")];
  b.calls.answer("throw", () => {
    throw new Error("broken");
  });
  b.calls.answer("large", () => "x".repeat(MAX_MESSAGE_BYTES));
  b.calls.answer("never", () => new Promise(() => {}));
  const ask = async (server: string, kind: string, body: unknown = null) =>
    (await settle(a.calls.ask(server, kind, body, 100))).kind;
  expect(await ask("c", "throw")).toBe("nobody");
  expect(await ask("b", "other")).toBe("unknown");
  expect(await ask("b", "throw")).toBe("failed");
  expect(await ask("b", "large")).toBe("failed");
  expect(await ask("b", "never")).toBe("late");
  expect(await ask("b", "throw", "x".repeat(MAX_MESSAGE_BYTES))).toBe("too_large");
  expect(logged).toEqual(["cluster.answer_failed", "cluster.answer_too_large"]);
  network.weather.loss = 1;
  expect(await ask("b", "throw")).toBe("late");
  a.bus.disconnect();
  expect(await ask("b", "throw")).toBe("down");
});

test("a message that is no question gets an answer and harms nothing", async () => {
  const { network, settle, join } = createRig();
  const { calls } = join("b");
  calls.answer("echo", (body) => body);
  const stranger = network.join("stranger");
  for (const text of ["", "{", "[]", '{"kind":1,"from":"x"}', '{"kind":"echo"}']) {
    const reply = await settle(stranger.request(subjects.ask("b"), Buffer.from(text), 100));
    expect(reply.kind === "reply" && JSON.parse(Buffer.from(reply.bytes).toString())).toEqual({ error: "failed" });
  }
});

test("an answer that is no answer counts as a failure", async () => {
  const { network, settle, join } = createRig();
  const { calls } = join("a");
  network.join("b").subscribe(subjects.ask("b"), (message) => message.respond(Buffer.from("null")));
  expect(await settle(calls.ask("b", "echo", 1, 100))).toEqual({ kind: "failed" });
});

test("questions of one kind have one handler", () => {
  const { calls } = createRig().join("a");
  calls.answer("echo", (body) => body);
  expect(() => calls.answer("echo", (body) => body)).toThrow("two handlers for echo");
});

test("a question to a server that has closed its calls is answered with nobody", async () => {
  const { join, settle } = createRig();
  const [a, b] = [join("a"), join("b")];
  b.calls.answer("echo", (body) => body);
  b.calls.close();
  expect(await settle(a.calls.ask("b", "echo", 1, 100))).toEqual({ kind: "nobody" });
});

test("a question to a server whose name no server can have is answered with nobody", async () => {
  const { join, settle } = createRig();
  const [a, b] = [join("a"), join("b")];
  b.calls.answer("echo", (body) => body);
  for (const name of ["", ">", "*", "b c", "b\r\nPUB x 0", "b.c", "x".repeat(33)]) {
    expect(await settle(a.calls.ask(name, "echo", 1, 100))).toEqual({ kind: "nobody" });
    const question = Buffer.from(JSON.stringify({ kind: "echo", from: name, body: 1 }));
    const reply = await settle(a.bus.request(subjects.ask("b"), question, 100));
    expect(reply.kind === "reply" && Buffer.from(reply.bytes).toString()).toBe('{"error":"failed"}');
  }
});
