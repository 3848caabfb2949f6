import type { ActiveCaller } from "../../auth/caller.ts";
import type { CalledRelay, Entered } from "../../auth/connector-door.ts";
import { bearerIn } from "../../wire/bearer.ts";
import { METADATA_PATH } from "../../wire/mcp-metadata.ts";
import type { KnownCaller, McpCall, McpPorts } from "./call.ts";
import { foundConnector } from "./connectors.ts";
import type { RelayPath } from "./relay-path.ts";
import type { FoundRelay } from "./relays.ts";
import { publicUrlOf } from "./resource.ts";

/** Who calls, as a relay is told. */
export interface CallIdentity extends KnownCaller {
  /** Counts a call towards the limits of the caller's key until the returned function is called. */
  begin(): () => void;
  readonly grantId: string | undefined;
  /** Whether the caller may use exactly as much of the relay as it may now. */
  isUnchanged(): boolean;
}

/**
 * The door through which one call comes: that of connector relays, or the open one of relays that check their callers themselves. It
 * is found by what is known of the relay when the call arrives, and found again where the relay turns out to be another one.
 */
export class CallDoor {
  readonly #ports: McpPorts;
  readonly #call: McpCall;
  readonly #alias: RelayPath["alias"];
  #entered: Entered | undefined;
  #caller: ActiveCaller | undefined;

  private constructor(ports: McpPorts, call: McpCall, alias: RelayPath["alias"]) {
    this.#ports = ports;
    this.#call = call;
    this.#alias = alias;
  }

  /** Lets a call in. Rejects as `ConnectorDoor.enter` does for a connector relay, else as `ClientDoor.enter` does. */
  static async enter(ports: McpPorts, call: McpCall, alias: RelayPath["alias"]): Promise<CallDoor> {
    const door = new CallDoor(ports, call, alias);
    if (ports.area.connectors.find(call.relayId)) await door.#enter();
    else door.#caller = ports.auth.enter(call.visit, "open");
    return door;
  }

  /** The caller, who has been let in. */
  get caller(): ActiveCaller {
    if (!this.#caller) throw new Error("a call was not let in");
    return this.#caller;
  }

  /** Ends the caller's stay. */
  leave(): void {
    this.#caller?.leave();
  }

  /**
   * Returns who calls a relay that was found. Rejects with `relay_not_allowed` or `relay_cannot_restrict` if the caller may not, and as
   * `enter` does if the key or grant behind the call has ended since, or if the caller was let in for a relay of another kind.
   */
  async at(found: FoundRelay): Promise<CallIdentity> {
    const relay = foundConnector(found);
    if (!relay) return this.#open();
    const entered = this.#entered ?? (await this.#enter());
    const as = entered.callerAt(relay);
    return {
      as,
      isBearerOurs: true,
      begin: () => entered.begin(),
      grantId: entered.grantId,
      isUnchanged: () => entered.isUnchanged(relay, as),
    };
  }

  #open(): CallIdentity {
    const bearer = bearerIn(this.#call.visit.request.headers.get("authorization"));
    // A relay could say that its callers sign in here, and say something else once they send their keys. And some clients send the
    // token of one relay to others, whose URLs have the same origin.
    const isBearerOurs =
      this.#entered !== undefined || (bearer !== undefined && this.#ports.auth.connectors.isOurs(bearer));
    return { as: undefined, isBearerOurs, begin: () => () => {}, grantId: undefined, isUnchanged: () => true };
  }

  async #enter(): Promise<Entered> {
    const entered = await this.#ports.auth.connectors.enter(this.#call.visit, this.#called());
    this.#caller?.leave();
    this.#entered = entered;
    this.#caller = entered.caller;
    entered.caller.linger();
    return entered;
  }

  #called(): CalledRelay {
    const { names } = this.#ports;
    const { visit, relayId } = this.#call;
    const origin = names.originOf(visit);
    const resource = publicUrlOf(names, relayId, visit, this.#alias);
    const { connectors } = this.#ports.auth;
    const path = `${METADATA_PATH}/api/mcp/id/${relayId}${this.#alias}`;
    return {
      id: relayId,
      resource,
      get metadataUrl() {
        const canSignIn = resource !== undefined && origin !== undefined;
        return canSignIn && connectors.metadataFor(resource, origin) !== undefined ? `${origin}${path}` : undefined;
      },
    };
  }
}
