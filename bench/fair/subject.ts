import type { Child, Children, Helper } from "../children.ts";
import { type MoorageServer, startServer, startWorker } from "../moorage.ts";

/** A checkout whose server and workers are measured. */
export interface Checkout {
  readonly name: string;
  /** Undefined for this one. */
  readonly directory: string | undefined;
}

export const KEYS = { a: "bench-key-a", b: "bench-key-b" } as const;

/** Starts a server of a checkout with two keys, and workers with so many slots. */
export async function startSubject(
  children: Children,
  backend: Helper,
  { directory }: Checkout,
  slots: readonly number[],
): Promise<MoorageServer & { stopAll(): Promise<void> }> {
  const server = await startServer(children, { API_KEY: `${KEYS.a},${KEYS.b}` }, directory);
  const workers: Child[] = [];
  for (const [at, count] of slots.entries()) {
    const flags = ["--max-concurrency", String(count)];
    workers.push(await startWorker(children, "llm", server, backend, `bench-worker-${at + 1}`, flags, directory));
  }
  return {
    ...server,
    async stopAll() {
      for (const child of [...workers, server]) await child.stop();
    },
  };
}
