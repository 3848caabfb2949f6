import { isThisMachine } from "../system/loopback.ts";
import type { FoundBackend, Prober } from "./discover.ts";
import { noProxy } from "./outgoing-proxy.ts";

/** The default address of one kind of model server. */
export interface UsualPlace {
  /** The name shown to people. */
  readonly label: string;
  /** `http://127.0.0.1:11434/v1` */
  readonly base: string;
}

/** A server on this machine accepts connections in microseconds, but may need a moment to answer while it computes. */
const PROBE_TIMEOUT_MS = 1000;

/** The owner of models in the list of a Moorage server, which is nobody's model server unless an operator says so. */
const MOORAGE = "moorage";

/** Asks all places at once and returns the servers that can serve the jobs of a kind, in the order given. */
export async function findBackends(
  { places, probe }: { readonly places: readonly UsualPlace[]; readonly probe: Prober },
  key: string | undefined,
  signal: AbortSignal,
): Promise<readonly FoundBackend[]> {
  const probes = await Promise.all(
    places.map(({ base }) =>
      probe(base, { key, timeoutMs: PROBE_TIMEOUT_MS, signal, proxyFor: noProxy, isGuess: true }),
    ),
  );
  return probes.flatMap((probe) => (probe.kind === "found" && probe.backend.family !== MOORAGE ? [probe.backend] : []));
}

/**
 * Removes the place of the Moorage server itself: its default port, 8080, is also llama.cpp's, and it must not become its
 * own backend.
 */
export function withoutServer(places: readonly UsualPlace[], server: string): readonly UsualPlace[] {
  const url = new URL(server);
  if (!isThisMachine(url.hostname)) return places;
  const port = url.port || (/^(?:https|wss):$/.test(url.protocol) ? "443" : "80");
  return places.filter(({ base }) => new URL(base).port !== port);
}

/** Chooses the backend to use: the first that has models, else the first. */
export function chooseBackend(found: readonly FoundBackend[]): FoundBackend | undefined {
  return found.find((backend) => backend.models.length > 0) ?? found[0];
}
