import { type NatsServer, parseNatsUrl } from "../../settings/nats-url.ts";

/** The most servers that are learned from others. */
const MAX_LEARNED = 32;

/** The NATS servers to try: those in the settings, and the other nodes of their NATS cluster, which they announce. */
export class Candidates {
  readonly #given: readonly NatsServer[];
  #learned: readonly NatsServer[] = [];

  constructor(given: readonly NatsServer[]) {
    this.#given = given;
  }

  /** Takes over the addresses that a server announces for its cluster, as `host:port`. Other text is ignored. */
  learn(addresses: readonly string[]): void {
    // Any node takes the credentials that the others take.
    const [first] = this.#given;
    if (!first) return;
    const isGiven = (server: NatsServer): boolean =>
      this.#given.some(({ host, port }) => host === server.host && port === server.port);
    this.#learned = addresses
      .slice(0, MAX_LEARNED)
      .flatMap((address) => parseNatsUrl(address) ?? [])
      .map(({ host, port }) => ({ ...first, host, port }))
      .filter((server) => !isGiven(server));
  }

  /** Returns each server once, those in the settings first. Both groups are shuffled, so that clients spread over them. */
  round(): readonly NatsServer[] {
    return [...shuffled(this.#given), ...shuffled(this.#learned)];
  }
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}
