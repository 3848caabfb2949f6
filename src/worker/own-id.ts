import type { KeptId } from "./kept-id.ts";
import { relayIdOf } from "./relay-id.ts";

/** The id of one kind or relay of a worker that has made its id itself, and may change it. */
export interface OwnId {
  current(): string;
  /** Gives an id up, because another worker has it. Links that lose the same one get new ones of the same worker. */
  renew(lost: string | undefined): void;
  /** Keeps the id that the server has given instead. */
  take(id: string): void;
}

/** Returns the id of a kind that is served by a model server, or of the only relay: the worker's. */
export function ownIdOf(kept: KeptId): OwnId {
  return { ...createOwnId(kept, (id) => id), take: (id) => kept.take(id) };
}

/** Returns the id of one of several relays, which is made from the worker's. */
export function relayOwnId(kept: KeptId, name: string): OwnId {
  // Another id says nothing about the worker's.
  return { ...createOwnId(kept, (id) => relayIdOf(id, name)), take: () => {} };
}

function createOwnId(kept: KeptId, idFrom: (workerId: string) => string): Omit<OwnId, "take"> {
  const current = (): string => idFrom(kept.id);
  return {
    current,
    renew(lost) {
      if (lost === current()) kept.renew();
    },
  };
}
