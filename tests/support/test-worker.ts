import type { Socket } from "bun";
import { systemClock } from "../../src/system/clock.ts";
import type { Clock, Log } from "../../src/system/deps.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import type { WorkerSettings } from "../../src/worker/args.ts";
import { readMcpServers } from "../../src/worker/mcp/mcp-servers.ts";
import { RETRY_LIMITS } from "../../src/worker/retry.ts";
import { startWorker, type Worker, type WorkerOptions } from "../../src/worker/worker.ts";

/** Returns a worker's settings as the program would load them, for tests. */
export function workerSettings(overrides: Partial<WorkerSettings> & { readonly server: string }): WorkerSettings {
  const settings: WorkerSettings = {
    kinds: ["llm"],
    relays: [],
    clientKeys: ["test-client-key"],
    joinToken: undefined,
    stateFile: undefined,
    isStateFileNamed: false,
    name: "test worker",
    id: undefined,
    backend: undefined,
    backendKey: undefined,
    asrBackend: undefined,
    asrBackendKey: undefined,
    maxConcurrency: 4,
    embeddingBatchSize: 32,
    models: undefined,
    renames: [],
    dropBillingLine: "false",
    mcpUrl: undefined,
    mcpCommand: undefined,
    mcpTransport: "auto",
    mcpHeaders: [],
    mcpServers: undefined,
    mcpOneUrl: undefined,
    mcpOneUrlOnly: "false",
    mcpToolSearch: "false",
    mcpAccess: undefined,
    mcpOauth: "false",
    mcpAuditArguments: "false",
    mcpShared: "false",
    mcpMaxSessions: 32,
    mcpSessionIdleMs: 300_000,
    authToken: undefined,
    httpsProxy: undefined,
    httpProxy: undefined,
    noProxy: undefined,
    dialTimeoutMs: 10_000,
    watchIntervalMs: 60_000,
    drainTimeoutMs: 5000,
    requestTimeoutMs: 30_000,
    update: "false",
    logLevel: "info",
    logFormat: "json",
    logFile: undefined,
    ...overrides,
  };
  if (!settings.kinds.includes("mcp") || settings.relays.length > 0) return settings;
  const { servers, faults } = readMcpServers(settings, { env: {}, readFile: () => "" });
  if (faults.length > 0) throw new Error(faults.join("; "));
  return { ...settings, relays: servers };
}

/** Waits that are short enough for tests. */
export const FAST_RETRY = {
  ...RETRY_LIMITS,
  baseMs: 10,
  capMs: 50,
  refusedBaseMs: 40,
  refusedCapMs: 80,
  replacedMs: 60,
};

export interface TestWorkerOptions extends WorkerOptions {
  readonly log?: Log;
  readonly clock?: Clock;
}

/** Starts a worker in this process, with the real clock and short waits. */
export function startTestWorker(
  settings: Partial<WorkerSettings> & { readonly server: string },
  options: TestWorkerOptions = {},
): Worker {
  const { log = silentLog, clock = systemClock, ...rest } = options;
  return startWorker(workerSettings(settings), { clock, ids: systemIds, log }, { retry: FAST_RETRY, ...rest });
}

/** Starts a model server that answers `/v1/models`. The test answers everything else. */
export function startBackend(
  handle: (request: Request) => Response | Promise<Response>,
  options: { readonly models?: readonly string[]; readonly port?: number; readonly list?: () => Response } = {},
): { readonly url: string; readonly port: number; stop(): Promise<void> } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    idleTimeout: 0,
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/v1/models" && options.list) return options.list();
      if (pathname === "/v1/models")
        return Response.json({ object: "list", data: (options.models ?? ["m"]).map((id) => ({ id })) });
      // The worker's requests that identify the server.
      if (pathname.startsWith("/api/") || pathname === "/system") return new Response("not found", { status: 404 });
      return handle(request);
    },
  });
  const port = server.port ?? 0;
  return { url: `http://127.0.0.1:${port}/v1`, port, stop: () => server.stop(true) };
}

/**
 * Starts a model server that writes HTTP by hand, for answers that a correct server would not give. `onPost` gets the first
 * bytes of the request as text.
 */
export function startRawBackend(onPost: (socket: Socket, request: string) => void): {
  readonly url: string;
  stop(): Promise<void>;
} {
  const list = '{"data":[{"id":"m"}]}';
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, data) {
        const request = data.toString();
        if (request.startsWith("POST")) onPost(socket, request);
        else if (!request.startsWith("GET /v1/models"))
          socket.write("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        else socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${list.length}\r\n\r\n${list}`);
      },
    },
  });
  return { url: `http://127.0.0.1:${listener.port}/v1`, stop: async () => listener.stop(true) };
}
