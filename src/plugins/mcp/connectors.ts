import type { ConnectorRelay, ConnectorRelays } from "../../oauth/connector.ts";
import { accessOf } from "../../plugin/worker-access.ts";
import type { Session } from "../../tunnel/session.ts";
import type { CallerCalls } from "./caller-calls.ts";
import type { FoundRelay, Relays } from "./relays.ts";

/** Returns what a relay is for its callers if this server lets them in; undefined for a relay with another kind of access. */
export function connectorOf(session: Pick<Session, "worker" | "dialect" | "offer">): ConnectorRelay | undefined {
  const access = accessOf(session);
  return access && { id: session.worker.id, ...access };
}

/** The same for a relay here or at another server. */
export function foundConnector(found: FoundRelay): ConnectorRelay | undefined {
  return found.kind === "here" ? connectorOf(found.relay.session) : found.connector;
}

/** Creates the view of connector relays that the authorization server has. */
export function createConnectors(relays: Relays, calls: CallerCalls): ConnectorRelays {
  const find = (relayId: string): ConnectorRelay | undefined => {
    const own = relays.own(relayId);
    return own ? connectorOf(own.session) : relays.remote(relayId)?.connector;
  };
  return {
    find,
    get isAny() {
      for (const { session } of relays.all()) if (connectorOf(session)) return true;
      return relays.hasRemoteConnector;
    },
    endGrant: (grantId) => calls.endGrant(grantId),
  };
}
