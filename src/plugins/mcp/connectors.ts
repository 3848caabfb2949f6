import type { ConnectorRelay, ConnectorRelays } from "../../oauth/connector.ts";
import type { Session } from "../../tunnel/session.ts";
import type { CallerCalls } from "./caller-calls.ts";
import type { FoundRelay, Relays } from "./relays.ts";

/** The access of a relay that leaves it to this server who may call. */
export const CONNECTOR = "connector";

/** Returns what a relay is for its callers if this server lets them in; undefined for a relay with another kind of access. */
export function connectorOf({ worker, dialect, offer }: Pick<Session, "worker" | "dialect" | "offer">) {
  // The legacy dialect cannot tell a relay who calls.
  if (worker.hostInfo["auth"] !== CONNECTOR || dialect !== "native") return undefined;
  const relay: ConnectorRelay = {
    id: worker.id,
    name: worker.name,
    restricts: worker.hostInfo["restricts"] === "true",
    tenants: offer.tenants && [...offer.tenants],
  };
  return relay;
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
