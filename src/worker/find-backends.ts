import { isLoopback } from "../system/loopback.ts";
import type { FoundBackend, Prober } from "./discover.ts";

/** Where a kind of model server listens when nobody has changed it. */
export interface UsualPlace {
  /** For people. */
  readonly label: string;
  /** `http://127.0.0.1:11434/v1` */
  readonly base: string;
}

/** A server on this machine accepts a connection in microseconds; one that computes may need a moment to answer. */
const PROBE_TIMEOUT_MS = 1000;

/** The places where something answers that serves such jobs, in the order given. Asked all at once. */
export async function findBackends(
  { places, probe }: { readonly places: readonly UsualPlace[]; readonly probe: Prober },
  key: string | undefined,
  signal: AbortSignal,
): Promise<readonly FoundBackend[]> {
  const probes = await Promise.all(
    places.map(({ base }) => probe(base, { key, timeoutMs: PROBE_TIMEOUT_MS, signal, isGuess: true })),
  );
  return probes.flatMap((probe) => (probe.kind === "found" ? [probe.backend] : []));
}

/** Addresses that stand for every one of this machine. */
const ANY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "[::]"]);

/** Without the server itself: 8080 is its usual port as well as llama.cpp's, and it must not become its own backend. */
export function withoutServer(places: readonly UsualPlace[], server: string): readonly UsualPlace[] {
  const url = new URL(server);
  if (!isLoopback(url.hostname) && !ANY_ADDRESS.has(url.hostname)) return places;
  const port = url.port || (/^(?:https|wss):$/.test(url.protocol) ? "443" : "80");
  return places.filter(({ base }) => new URL(base).port !== port);
}

/** One to work with: the first that has models, else the first. */
export function chooseBackend(found: readonly FoundBackend[]): FoundBackend | undefined {
  return found.find((backend) => backend.models.length > 0) ?? found[0];
}
