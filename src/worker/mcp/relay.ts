import type { Deps } from "../../deps.ts";
import { VERSION } from "../../version.ts";
import { httpUrl, type WorkerSettings } from "../args.ts";
import { Dialer } from "../dialer.ts";
import { createLoadSampler } from "../host.ts";
import type { Backend } from "../opening.ts";
import { RETRY_LIMITS, type RetryLimits } from "../retry.ts";
import { guarded } from "./guard.ts";
import { createHttpUpstream } from "./http-upstream.ts";

export interface RelayOptions {
  readonly print: (text: string) => void;
  readonly random: () => number;
  readonly retry?: RetryLimits | undefined;
  readonly registerTimeoutMs: number;
}

/** The server counts the calls; this is far above what it allows one relay. */
const MAX_CALLS = 10_000;
/** How long a call may stay without an answer, when the server names no time of its own. */
const SILENCE_MS = 30 * 60_000;

/** Serves one MCP server through the public one until stopped. */
export function serveRelay(
  settings: WorkerSettings,
  deps: Deps,
  { print, random, retry = RETRY_LIMITS, registerTimeoutMs }: RelayOptions,
): { readonly registered: Promise<string>; stop(): Promise<void> } {
  const { mcpUrl, authToken, clientKey, name } = settings;
  if (mcpUrl === undefined) throw new Error("no MCP server is named");
  const registered = Promise.withResolvers<string>();
  const upstream: Backend = createHttpUpstream(mcpUrl);
  let isPrinted = false;
  const dialer = new Dialer({
    kind: "mcp",
    settings: { ...settings, maxConcurrency: MAX_CALLS },
    introduction: {
      first: (id) => ({
        id,
        client_name: name,
        client_key: clientKey,
        info: { version: VERSION, upstream: "http", auth: authToken === undefined ? "none" : "token" },
      }),
      update: () => undefined,
    },
    backend: authToken === undefined ? upstream : guarded(upstream, authToken),
    requestTimeoutMs: settings.requestTimeoutMs ?? SILENCE_MS,
    onUnreachable: () => {},
    load: createLoadSampler(),
    deps,
    random,
    retry,
    registerTimeoutMs,
    onRegistered: (id) => {
      registered.resolve(id);
      if (isPrinted) return;
      isPrinted = true;
      print(`MCP clients reach ${mcpUrl} at\n  ${httpUrl(settings.server)}/api/mcp/id/${id}/mcp`);
    },
  });
  dialer.start();
  return { registered: registered.promise, stop: () => dialer.stop() };
}
