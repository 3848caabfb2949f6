import type { TestNatsOptions } from "./nats-server.ts";
import { freePort } from "./proxy.ts";

/** Returns the options of three NATS servers that form a cluster; `configOf` is the rest of each one's configuration. */
export async function threeNodes(configOf: (at: number) => string): Promise<readonly TestNatsOptions[]> {
  const places = [0, 1, 2];
  const [ports, routePorts] = [
    await Promise.all(places.map(() => freePort())),
    await Promise.all(places.map(() => freePort())),
  ];
  const routes = routePorts.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  return places.map((at) => ({
    port: ports[at] ?? 0,
    config: `${configOf(at)}
server_name: n${at}
cluster { name: test, listen: "127.0.0.1:${routePorts[at]}", routes: [${routes}] }
`,
  }));
}
