import type { Session } from "../tunnel/session.ts";
import type { WorkerAccess } from "./cluster.ts";

/** The access of a relay that leaves it to this server who may call. */
export const CONNECTOR = "connector";

/** Whether servers find out who calls a relay, by what it says of its access. The legacy dialect cannot tell a relay who calls. */
export function isConnector(access: string | undefined, isNative: boolean): boolean {
  return access === CONNECTOR && isNative;
}

/** Returns what a relay lets servers decide about its callers; undefined for any other worker. */
export function accessOf({
  worker,
  dialect,
  offer,
}: Pick<Session, "worker" | "dialect" | "offer">): WorkerAccess | undefined {
  const { name, hostInfo } = worker;
  if (!isConnector(hostInfo["auth"], dialect === "native")) return undefined;
  return { name, restricts: hostInfo["restricts"] === "true", tenants: offer.tenants && [...offer.tenants] };
}
