import { systemClock } from "../../src/system/clock.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import { Dialer } from "../../src/worker/dialer.ts";
import { createLoadSampler } from "../../src/worker/host.ts";
import { Endpoint } from "../../src/worker/mcp/endpoint.ts";
import { createHttpUpstream } from "../../src/worker/mcp/http-upstream.ts";
import { noProxy } from "../../src/worker/outgoing-proxy.ts";
import { FAST_RETRY } from "./test-worker.ts";

/** Starts a relay, made of the worker program's parts, for an MCP server that requires sign-in itself. */
export function startOauthRelay(options: {
  readonly server: string;
  readonly clientKey: string;
  readonly upstream: string;
  readonly auth: "oauth" | "none";
}): { readonly registered: Promise<string>; stop(): Promise<void> } {
  const registered = Promise.withResolvers<string>();
  const dialer = new Dialer({
    kind: "mcp",
    settings: {
      server: options.server,
      clientKeys: [options.clientKey],
      id: "tools",
      drainTimeoutMs: 0,
      dialTimeoutMs: 5000,
    },
    slots: () => 100,
    introduction: {
      first: (id) => ({
        id,
        info: { upstream: "http", auth: options.auth },
      }),
      update: () => undefined,
    },
    backend: createHttpUpstream(new Endpoint({ url: options.upstream, log: silentLog }), {
      oauth: options.auth === "oauth",
    }),
    requestTimeoutMs: 10_000,
    onUnreachable: () => {},
    load: createLoadSampler(),
    deps: { clock: systemClock, ids: systemIds, log: silentLog },
    random: Math.random,
    retry: FAST_RETRY,
    proxyFor: noProxy,
    onRegistered: registered.resolve,
  });
  dialer.start();
  return { registered: registered.promise, stop: () => dialer.stop() };
}
