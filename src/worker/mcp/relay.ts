import type { Deps } from "../../deps.ts";
import { VERSION } from "../../version.ts";
import { httpUrl, type WorkerSettings } from "../args.ts";
import { Dialer } from "../dialer.ts";
import { createLoadSampler } from "../host.ts";
import type { Backend } from "../opening.ts";
import { RETRY_LIMITS, type RetryLimits } from "../retry.ts";
import { childEnv } from "./bridge/child-env.ts";
import { createStdioBridge } from "./bridge/stdio-bridge.ts";
import { guarded } from "./guard.ts";
import { createHttpUpstream } from "./http-upstream.ts";

export interface RelayOptions {
  readonly print: (text: string) => void;
  readonly random: () => number;
  /** What children are started with, but for the worker's secrets. */
  readonly env: Readonly<Record<string, string | undefined>>;
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
  { print, random, env, retry = RETRY_LIMITS, registerTimeoutMs }: RelayOptions,
): { readonly registered: Promise<string>; stop(): Promise<void> } {
  const { authToken, clientKey, name } = settings;
  const registered = Promise.withResolvers<string>();
  const upstream = openUpstream(settings, env, deps);
  let isPrinted = false;
  const dialer = new Dialer({
    kind: "mcp",
    settings: { ...settings, maxConcurrency: MAX_CALLS },
    introduction: {
      first: (id) => ({
        id,
        client_name: name,
        client_key: clientKey,
        info: { version: VERSION, upstream: upstream.kind, auth: authToken === undefined ? "none" : "token" },
      }),
      update: () => undefined,
    },
    backend: authToken === undefined ? upstream.backend : guarded(upstream.backend, authToken),
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
      print(`MCP clients reach ${upstream.name} at\n  ${httpUrl(settings.server)}/api/mcp/id/${id}/mcp`);
    },
  });
  dialer.start();
  return {
    registered: registered.promise,
    async stop() {
      await dialer.stop();
      await upstream.close();
    },
  };
}

interface Upstream {
  readonly kind: "http" | "stdio";
  /** For people. */
  readonly name: string;
  readonly backend: Backend;
  close(): Promise<void>;
}

function openUpstream({ mcpUrl, mcpCommand }: WorkerSettings, env: RelayOptions["env"], deps: Deps): Upstream {
  if (mcpUrl !== undefined) {
    return { kind: "http", name: mcpUrl, backend: createHttpUpstream(mcpUrl), close: async () => {} };
  }
  if (mcpCommand === undefined) throw new Error("no MCP server is named");
  const bridge = createStdioBridge({ command: mcpCommand, env: childEnv(env), deps });
  return { kind: "stdio", name: `\`${mcpCommand}\``, backend: bridge, close: () => bridge.close() };
}
