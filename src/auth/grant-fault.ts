import { Fault } from "../errors.ts";

/** Returns why a call is refused or ended whose grant was revoked. */
export function grantFault(): Fault {
  return new Fault("key_revoked", { message: "The access of this program was revoked. Let it sign in again." });
}
