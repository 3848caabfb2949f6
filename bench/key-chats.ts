import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "../src/auth/keys.ts";
import type { Children } from "./children.ts";
import type { LoadAnswer } from "./load.ts";
import { API_KEY, type MoorageServer, startServer, startWorker, withCpu } from "./moorage.ts";
import { PATH, smallChats } from "./relay-load.ts";
import { interleave } from "./rounds.ts";

/** Microseconds of server CPU per small chat, by the key of the client. */
export interface KeyChats {
  /** A key of the environment, at a server that keeps usage in memory and has no other keys. */
  readonly memory: readonly number[];
  /** The same at a server with `DATA_DIR`. The following keys are used at this server, too. */
  readonly stored: readonly number[];
  readonly created: readonly number[];
  readonly limited: readonly number[];
  /** A key with limits, in a tenant with limits. */
  readonly shared: readonly number[];
}

/** Every kind of limit, none of which is reached. */
const LIMITS =
  "{ parallel: 1000, max_waiting: 1000, requests_per_minute: 1M, tokens_per_minute: 1G, tokens_per_day: 1G, tokens_per_month: 1G }";

const KEYS = { created: "bench-created-key", limited: "bench-limited-key", shared: "bench-shared-key" };

const KEYS_FILE = `keys:
  - name: created
    key: sha256:${sha256(KEYS.created)}
  - name: limited
    key: sha256:${sha256(KEYS.limited)}
    limits: ${LIMITS}
  - name: shared
    key: sha256:${sha256(KEYS.shared)}
    limits: ${LIMITS}
    tenant: bench
tenants:
  bench: ${LIMITS}
`;

/** The requests of each key before the first round. */
const WARM_UP = 5000;

interface Subject {
  readonly server: MoorageServer;
  readonly key: string;
}

/**
 * Measures what keys, their limits and the count of their usage add to a small chat. All keys take turns at one server, because
 * two processes of the same code may differ by some per cent. For the same reason, several pairs of servers are started.
 */
export async function measureKeyChats(children: Children, isQuick: boolean): Promise<KeyChats> {
  const samples: number[][] = [[], [], [], [], []];
  for (let pair = 0; pair < (isQuick ? 1 : 3); pair += 1) {
    const measured = await measurePair(children.group(), isQuick ? 2 : 8, isQuick ? 2000 : 4000);
    for (const [at, own] of measured.entries()) samples[at]?.push(...own);
  }
  const [memory = [], stored = [], created = [], limited = [], shared = []] = samples;
  return { memory, stored, created, limited, shared };
}

async function measurePair(children: Children, rounds: number, requests: number): Promise<number[][]> {
  const directory = mkdtempSync(join(tmpdir(), "moorage-bench-"));
  const file = join(directory, "keys.yaml");
  writeFileSync(file, KEYS_FILE);
  const backend = await children.helper("backend.ts");
  const load = await children.helper("load.ts");
  const start = async (id: string, env: Readonly<Record<string, string>>): Promise<MoorageServer> => {
    const server = await startServer(children, env);
    await startWorker(children, "llm", server, backend, id, ["--max-concurrency", "256"]);
    return server;
  };
  const bare = await start("bench-memory", {});
  const full = await start("bench-stored", { DATA_DIR: join(directory, "data"), KEYS_FILE: file });
  const subjects: Subject[] = [
    { server: bare, key: API_KEY },
    ...[API_KEY, KEYS.created, KEYS.limited, KEYS.shared].map((key) => ({ server: full, key })),
  ];
  const send = async ({ server, key }: Subject, count: number): Promise<number> => {
    const target = { ...server.target(PATH), key };
    const { cpu, value } = await withCpu(server.pid, () => load.ask<LoadAnswer>(smallChats(target, count), 120_000));
    if (value.failures > 0) throw new Error(`${value.failures} failures, such as ${value.wrong}`);
    return cpu / count;
  };
  // Compiled code gets faster with the requests that its process has had, so both servers begin with as many.
  for (const subject of subjects) await send(subject, subject.server === bare ? 4 * WARM_UP : WARM_UP);
  const samples = await interleave(subjects, rounds, (subject) => send(subject, requests));
  await children.stopAll();
  rmSync(directory, { recursive: true, force: true });
  return samples;
}
