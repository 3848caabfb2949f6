import type { ConnectorRelay } from "../../oauth/connector.ts";
import type { ClusterPorts } from "../../plugin/cluster.ts";
import type { Session } from "../../tunnel/session.ts";

/** The kind of the exchanges by which a server sends a call to the server that has the relay. */
export const RELAY_KIND = "relay";

/** A relay that is connected to another server, with the session on which calls are sent there. */
export interface RemoteRelay {
  /** The id of that server. */
  readonly server: string;
  readonly session: Session;
  /** What it is for its callers, if the server that they ask lets them in; undefined for any other relay. */
  readonly connector: ConnectorRelay | undefined;
}

/** The relays of other servers. */
export interface RemoteRelays {
  /** Returns the relay of this id; undefined if no server that can be reached has it. */
  find(relayId: string): RemoteRelay | undefined;
  /** Whether some server has a connector relay. */
  readonly hasConnector: boolean;
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
      if (server === undefined || session === undefined) return undefined;
      const access = workers.accessOf(relayId);
      return { server, session, connector: access && { id: relayId, ...access } };
    },
    get hasConnector() {
      return workers.hasAccess;
    },
    leftAgoMs: (relayId) => (workers.serverOf(relayId) === undefined ? workers.leftAgoMs(relayId) : 0),
    onChange(listener) {
      workers.onMoved(listener);
      exchanges.onChange(() => listener(undefined));
    },
  };
}
