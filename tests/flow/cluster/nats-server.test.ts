import { afterEach, describe, expect, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { lacks, PROGRAMS } from "../../support/lacks.ts";
import { TestNats } from "../../support/nats-server.ts";

const running: TestNats[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const each of running.splice(0)) await each.stop();
});

async function start(): Promise<TestNats> {
  const nats = await TestNats.start();
  running.push(nats);
  return nats;
}

/** Opens a connection and resolves to the server's first line. */
function greeting(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    sockets.push(socket);
    socket.once("data", (bytes) => resolve(bytes.toString()));
    socket.once("error", reject);
  });
}

describe.skipIf(lacks("a real nats-server", PROGRAMS.nats))("the nats-server of these tests", () => {
  test("asks for a password and has JetStream", async () => {
    const nats = await start();
    const line = await greeting(nats.port);
    expect(line).toStartWith("INFO ");
    expect(JSON.parse(line.slice("INFO ".length))).toMatchObject({ auth_required: true, jetstream: true });
  });

  test("is gone when it was killed, and comes back on the same port", async () => {
    const nats = await start();
    const { port, pid } = nats;
    await nats.kill();
    await expect(greeting(port)).rejects.toThrow();
    await nats.restart();
    expect(nats.port).toBe(port);
    expect(nats.pid).not.toBe(pid);
    expect(await greeting(port)).toStartWith("INFO ");
  });

  test("ends although it was frozen", async () => {
    const nats = await start();
    nats.freeze();
    await nats.stop();
    running.splice(0);
  });
});
