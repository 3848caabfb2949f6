import type { Auth } from "../../../auth/auth.ts";
import type { Caller } from "../../../auth/caller.ts";
import type { Visit } from "../../../http/visit.ts";
import type { ConnectorRelay } from "../../../oauth/connector.ts";
import { isConnector } from "../../../plugin/worker-access.ts";
import type { McpCaller } from "../../../wire/mcp-call.ts";
import type { RelayFacts } from "./relay-facts.ts";

/** Who looks at the catalogue. The holder of a client's key sees what the key may use, and nothing of how the pool is run. */
export type Viewer = { readonly kind: "operator" } | { readonly kind: "client"; readonly caller: Caller };

export type ViewersAuth = Pick<Auth, "hasAdmins"> & {
  readonly operators: Pick<Auth["operators"], "read">;
  readonly connectors: Pick<Auth["connectors"], "clientOf" | "accessAt">;
};

/** Returns who a visit is. Throws as the operators' door does, which also counts wrong keys. */
export function viewerOf(auth: ViewersAuth, visit: Visit): Viewer {
  // Without operators of their own, clients' keys are those of operators.
  const caller = auth.hasAdmins ? auth.connectors.clientOf(visit) : undefined;
  if (caller) return { kind: "client", caller };
  auth.operators.read(visit);
  return { kind: "operator" };
}

/** What a viewer sees of a relay: nothing, everything, or what its caller may use. */
export type View =
  | { readonly kind: "nothing" }
  | { readonly kind: "all" }
  | { readonly kind: "own"; readonly as: McpCaller };

/** Returns what a viewer sees of a relay. The URL of a relay without sign-in may be its only protection, so keys do not open it. */
export function viewOf(auth: Pick<ViewersAuth, "connectors">, viewer: Viewer, facts: RelayFacts): View {
  if (viewer.kind === "operator") return { kind: "all" };
  const { caller } = viewer;
  const relay = connectorOf(facts);
  const access = relay && auth.connectors.accessAt(caller, relay);
  if (access?.kind !== "allowed") return { kind: "nothing" };
  return { kind: "own", as: { name: caller.name, ...(access.rules && { rules: access.rules }) } };
}

/** Returns a relay as the door for its callers knows it; undefined for a relay with another kind of access. */
export function connectorOf({
  id,
  name,
  access,
  isNative,
  restricts,
  tenants,
}: RelayFacts): ConnectorRelay | undefined {
  return isConnector(access, isNative) ? { id, name, restricts, tenants } : undefined;
}
