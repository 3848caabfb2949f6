import type { Fault } from "../errors.ts";
import type { ConnectorRelay, HolderAccess } from "./connector.ts";

// What the page says when a program cannot be let in.

export const START_AGAIN = "Go back to the program that sent you here and connect again.";

/** Says that no relay of this id can be used here. */
export function notConnected(relayId: string): string {
  return `No MCP server of the name ${relayId === "" ? "that was asked for" : relayId} is connected for which people sign in here. Its relay has to run with --access connector. ${START_AGAIN}`;
}

const REGISTER_INSTEAD = "its operator can set MCP_CLIENT_DOCUMENTS=false, so that programs register themselves";

/** Says that a program's document is missing or not valid. */
export function documentNotValid(host: string): string {
  return `This server could not get the document by which the program introduces itself from ${host}, or the document is not valid. If the server may not reach that site, ${REGISTER_INSTEAD}`;
}

/** Says that a program's document cannot be had now. */
export function documentAway(host: string): string {
  return `This server cannot get the document by which the program introduces itself from ${host} now. Try again in a moment. If the server cannot reach that site at all, ${REGISTER_INSTEAD}.`;
}

/** Returns the text of the page for a key that is refused. Throws faults that the page does not show. */
export function keyProblem(fault: Fault): string {
  switch (fault.code) {
    case "invalid_api_key":
      return "This is not a valid key of a client.";
    case "too_many_auth_failures":
      return "This key is not valid, and too many wrong keys came from this address. Enter a valid key, or wait a minute.";
    case "key_expired":
    case "key_revoked":
    case "key_rotated":
    case "key_not_confirmed":
      return fault.message;
    default:
      throw fault;
  }
}

/** Returns why a holder may not use a relay; undefined for one who may. */
export function accessProblem(access: HolderAccess, { id }: ConnectorRelay): string | undefined {
  switch (access.kind) {
    case "allowed":
      return undefined;
    case "no_relay":
      return `This key may not use the MCP server ${id}.`;
    case "cannot_restrict":
      return `This key may use only some tools, and the relay of ${id} is too old to hold it to them. Ask the owner of the relay to update it.`;
    case "ended":
      return "This key is no longer valid.";
    case "not_confirmed":
      return "This server cannot reach the records of its cluster, so it does not know whether this key is still valid. Try again shortly.";
  }
}
