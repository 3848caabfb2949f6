import type { ClusterServer } from "./cluster-server.ts";
import type { PacedBackend } from "./paced-backend.ts";

/** What became of requests. A stream that was cut must not look whole, so both are counted by what arrived. */
export interface Outcomes {
  readonly whole: number;
  /** What went wrong with the others: a status, or the end of what arrived. */
  readonly failures: readonly string[];
}

/** Opens streams at these servers in turn; resolves when each has begun. */
export async function openStreams(
  servers: readonly ClusterServer[],
  count: number,
  backend: PacedBackend,
  model = "m",
) {
  const responses = await Promise.all(
    Array.from({ length: count }, (_, at) =>
      (servers[at % servers.length] ?? servers[0])?.chat(model, { stream: true }),
    ),
  );
  const statuses = responses.map((response) => response?.status);
  if (statuses.some((status) => status !== 200)) throw new Error(`streams did not begin: ${statuses.join()}`);
  /** Resolves when all have ended. */
  const ended = async (): Promise<Outcomes> => {
    const failures: string[] = [];
    let whole = 0;
    await Promise.all(
      responses.map(async (response) => {
        const text = await read(response);
        const problem = backend.problemIn(text);
        if (problem === undefined) whole += 1;
        else failures.push(problem);
      }),
    );
    return { whole, failures };
  };
  return { ended: ended() };
}

/** Returns what has arrived until the end, or until the connection broke. */
async function read(response: Response | undefined): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const bytes of response?.body ?? []) text += decoder.decode(bytes, { stream: true });
  } catch {
    // The connection broke, which the text shows by its end.
  }
  return text;
}

/**
 * Sends small chats and asks for the health of each server, again and again, until told to stop. Resolves then to what went
 * wrong: every status other than 200, and every request without an answer.
 */
export function askOnAndOn(servers: readonly ClusterServer[], { everyMs = 50, model = "m" } = {}) {
  const failures: string[] = [];
  const asked: Promise<void>[] = [];
  let turn = 0;
  const ask = async (what: string, request: () => Promise<Response>): Promise<void> => {
    try {
      const response = await request();
      const text = await response.text();
      if (response.status !== 200) failures.push(`${what}: ${response.status} ${text.slice(0, 200)}`);
    } catch (error) {
      failures.push(`${what}: ${error}`);
    }
  };
  const timer = setInterval(() => {
    const server = servers[turn++ % servers.length];
    if (!server) return;
    asked.push(ask(`chat at ${server.id}`, () => server.chat(model)));
    asked.push(ask(`health of ${server.id}`, () => fetch(`${server.url}/healthz`)));
  }, everyMs);
  const stop = async (): Promise<{ readonly count: number; readonly failures: readonly string[] }> => {
    clearInterval(timer);
    await Promise.all(asked);
    return { count: asked.length, failures };
  };
  return { stop };
}
