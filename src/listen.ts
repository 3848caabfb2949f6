import type { App } from "./app/contract.ts";
import type { Config } from "./config.ts";
import { opening } from "./system/listen-fault.ts";
import { reachableHost } from "./system/loopback.ts";

/** A server that accepts connections. */
export interface Listening {
  /** `http://host:port` as this machine reaches it. */
  readonly url: string;
  readonly port: number;
  /** URL of `/metrics` if it has its own listener. */
  readonly metricsUrl: string | undefined;
  /** Accepts no new connections; resolves when running requests have ended. */
  stopAccepting(): Promise<void>;
  /** Closes all connections now. */
  stop(): Promise<void>;
}

/** Opens the listeners. Throws a `ListenError` if a port is taken: sessions are in memory, so a second process must not share it. */
export function listen(app: App, config: Config): Listening {
  opening(config.port, "PORT", () => app.elysia.listen({ port: config.port, hostname: config.host }));
  const { server } = app.elysia;
  if (!server) throw new Error("the listener did not start");
  const { metricsListener } = config;
  const metrics =
    metricsListener && opening(metricsListener.port, "METRICS_PORT", () => listenForMetrics(app, metricsListener));
  const port = server.port ?? config.port;
  return {
    url: `http://${reachableHost(config.host)}:${port}`,
    port,
    metricsUrl: metrics && `http://${reachableHost(metrics.hostname ?? "127.0.0.1")}:${metrics.port}/metrics`,
    async stopAccepting() {
      await server.stop(false);
    },
    async stop() {
      await Promise.all([server.stop(true), metrics?.stop(true)]);
    },
  };
}

function listenForMetrics(
  app: App,
  { host, port }: { readonly host: string; readonly port: number },
): Bun.Server<undefined> {
  return Bun.serve({
    hostname: host,
    port,
    // Under NODE_ENV=production Bun would share the port with another server of this machine.
    reusePort: false,
    fetch: (request) => app.handleMetrics(request),
  });
}
