import { describe } from "bun:test";
import { NatsBus } from "../../src/cluster/nats/nats-bus.ts";
import { eventually } from "../support/eventually.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { busOptions } from "../support/nats-bus.ts";
import { TestNats } from "../support/nats-server.ts";
import { TcpProxy } from "../support/tcp-proxy.ts";
import { describeBus } from "./bus.ts";

describe.skipIf(lacks("the bus on a real nats-server", PROGRAMS.nats))("on a real nats-server", () => {
  describeBus("the bus on NATS", async () => {
    const nats = await TestNats.start();
    const ends: (() => Promise<void>)[] = [];
    const buses: NatsBus[] = [];
    return {
      async join(name) {
        const target = `http://127.0.0.1:${nats.port}`;
        let proxy = await TcpProxy.start(target);
        const { port } = new URL(proxy.url);
        const bus = new NatsBus(busOptions(nats.url.replace(/:\d+$/, `:${port}`), name));
        buses.push(bus);
        ends.push(async () => {
          await bus.close();
          await proxy.stop();
        });
        await eventually(() => bus.state.kind === "up", "the bus is up");
        return {
          bus,
          async cut() {
            await proxy.stop();
            await eventually(() => bus.state.kind === "down", "the bus is down");
          },
          async mend() {
            proxy = await TcpProxy.start(target, undefined, Number(port));
            await eventually(() => bus.state.kind === "up", "the bus is up again");
          },
        };
      },
      until: async (condition) => void (await eventually(condition)),
      // NATS has then taken all subscriptions and messages.
      settle: async () => {
        for (const { connection } of buses) await connection?.flush();
      },
      finish: (promise) => promise,
      async stop() {
        for (const end of ends) await end();
        await nats.stop();
      },
    };
  });
});
