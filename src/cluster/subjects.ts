/** The version of the form of all messages. Servers that differ in it do not see each other. */
const FORM = 1;

/** The subjects of one cluster. All of them begin with `prefix`. */
export interface Subjects {
  /** `moorage.<cluster>.1.`; docs/protocol.md lists the subjects below it. */
  readonly prefix: string;
  /** Gossip, which all servers hear. */
  readonly gossip: string;
  /** Questions to one server. */
  ask(serverId: string): string;
  /** Where two servers with the same id find each other. */
  id(serverId: string): string;
  /** Bodies for one server, from peers that cannot dial it and that it cannot dial. */
  lane(serverId: string): string;
  /** The state of one server, which is published only while somebody looks at it. */
  state(serverId: string): string;
}

/** Returns the subjects of a cluster. Its name and the servers' ids contain no dots. */
export function createSubjects(cluster: string): Subjects {
  const prefix = `moorage.${cluster}.${FORM}.`;
  return {
    prefix,
    gossip: `${prefix}gossip`,
    ask: (serverId) => `${prefix}ask.${serverId}`,
    id: (serverId) => `${prefix}id.${serverId}`,
    lane: (serverId) => `${prefix}lane.${serverId}`,
    state: (serverId) => `${prefix}state.${serverId}`,
  };
}
