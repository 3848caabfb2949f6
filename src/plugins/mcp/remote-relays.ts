import type { ClusterPorts } from "../../plugin/cluster.ts";
import type { Session } from "../../tunnel/session.ts";

/** The kind of the exchanges by which a server sends a call to the server that has the relay. */
export const RELAY_KIND = "relay";

/** A relay that is connected to another server, with the session on which calls are sent there. */
export interface RemoteRelay {
  /** The id of that server. */
  readonly server: string;
  readonly session: Session;
}

/** The relays of other servers. */
export interface RemoteRelays {
  /** Returns the relay of this id; undefined if no server that can be reached has it. */
  find(relayId: string): RemoteRelay | undefined;
  /**
   * Returns how long ago the relay left the last of the other servers; 0 if its server cannot be reached now, and undefined if
   * none of them had it lately.
   */
  leftAgoMs(relayId: string): number | undefined;
  /**
   * Calls `listener` when `find` may answer differently: with the relay's id, or with undefined if that concerns all relays
   * of a server.
   */
  onChange(listener: (relayId: string | undefined) => void): void;
}

/** Finds the relays of other servers among the workers that the cluster knows. */
export function createRemoteRelays({
  workersOf,
  exchanges,
}: Pick<ClusterPorts, "workersOf" | "exchanges">): RemoteRelays {
  const workers = workersOf("mcp");
  return {
    find(relayId) {
      const server = workers.serverOf(relayId);
      const session = server === undefined ? undefined : exchanges.sessionTo(server);
      return server === undefined || session === undefined ? undefined : { server, session };
    },
    leftAgoMs: (relayId) => (workers.serverOf(relayId) === undefined ? workers.leftAgoMs(relayId) : 0),
    onChange(listener) {
      workers.onMoved(listener);
      exchanges.onChange(() => listener(undefined));
    },
  };
}
