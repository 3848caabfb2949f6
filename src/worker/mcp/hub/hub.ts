import type { Deps } from "../../../system/deps.ts";
import { type Bridge, createBridge } from "../bridge/bridge.ts";
import { FIRST_STATELESS } from "../bridge/era.ts";
import type { SessionLimits } from "../bridge/sessions.ts";
import { HubPeer } from "./hub-peer.ts";
import type { HubShared } from "./meeting.ts";
import { type HubServer, Member } from "./member.ts";
import { prefixesFor } from "./names.ts";
import { ResourceOwners } from "./owners.ts";

export interface HubOptions {
  /** The name by which clients know the hub. */
  readonly name: string;
  readonly servers: readonly HubServer[];
  readonly limits: SessionLimits;
  readonly deps: Deps;
}

/**
 * Serves several MCP servers as one, in Streamable HTTP. Their names begin with the server's, and everything else goes to the
 * one that it belongs to. A server that fails takes away its own part only. The servers are closed by who opened them.
 */
export function createHub({ name, servers, limits, deps }: HubOptions): Bridge {
  const { clock } = deps;
  const prefixes = prefixesFor(servers.map(({ key }) => key));
  const members = servers.map((server, at) => new Member(server, prefixes[at] ?? server.key, clock));
  const byPrefix = new Map(members.map((member) => [member.prefix, member]));
  const hub: HubShared = { name, members, byPrefix, owners: new ResourceOwners(byPrefix), clock };
  return createBridge({
    openPeer: (events) => new HubPeer(hub, events),
    maybeStateless: true,
    // Whatever the servers know, the hub translates.
    era: { versions: async () => [FIRST_STATELESS], startFailure: undefined, close: async () => {} },
    limits,
    closeShared: async () => {
      await Promise.all(members.map((member) => member.era.close()));
    },
    deps,
  });
}
