import type { Child, Children, Helper } from "./children.ts";
import type { Target } from "./load.ts";
import { cpuMicros } from "./process-reading.ts";

export const API_KEY = "bench-api-key";
export const CLIENT_KEY = "bench-client-key";

/** A Moorage server with keys and otherwise default settings. */
export interface MoorageServer extends Child {
  readonly url: string;
  target(path: string): Target;
  get(path: string): Promise<string>;
}

export async function startServer(
  children: Children,
  env: Readonly<Record<string, string>> = {},
  directory?: string,
): Promise<MoorageServer> {
  const started = await children.program(
    ["src/main.ts"],
    { PORT: "0", HOST: "127.0.0.1", API_KEY, CLIENT_KEY, LOG_FORMAT: "json", ...env },
    "server.started",
    directory,
  );
  const url = String(started.line["url"]);
  return {
    ...started,
    url,
    target: (path) => ({ url: `${url}${path}`, key: API_KEY }),
    async get(path) {
      const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${API_KEY}` } });
      return response.text();
    },
  };
}

/** Starts a worker as its users do. Resolves when the server knows the worker and its models. */
export function startWorker(
  children: Children,
  kind: "llm" | "asr",
  server: Pick<MoorageServer, "url">,
  backend: Pick<Helper, "greeting">,
  id: string,
  flags: readonly string[] = [],
  directory?: string,
): Promise<Child> {
  const args = ["src/worker/main.ts", kind, "--server", server.url, "--backend", `${backend.greeting.url}/v1`];
  return children.program(
    [...args, "--id", id, ...flags],
    { CLIENT_KEY, LOG_FORMAT: "json" },
    "link.opened",
    directory,
  );
}

/** Runs `work` and returns its result with the CPU time that a process used meanwhile, in microseconds. */
export async function withCpu<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ readonly cpu: number; readonly value: T }> {
  const before = cpuMicros(pid);
  const value = await work();
  return { cpu: cpuMicros(pid) - before, value };
}
