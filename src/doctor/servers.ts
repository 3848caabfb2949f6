import { isRecord, parseJson } from "../json/parse.ts";
import { serverMark } from "../system/server-id.ts";
import { type Check, type Finding, good, warning } from "./check.ts";
import type { Checkup } from "./checkup.ts";
import { type NoReply, probe, type Reply } from "./http-probe.ts";

/** How many answers are compared. With three servers behind a balancer, one is missed in a tenth of all runs. */
const PROBES = 8;
const LIMIT_MS = 20_000;
/** The most servers that are named. */
const MAX_NAMED = 8;

/** What an answer says about its server; undefined for a server without a cluster. */
interface Seen {
  /** A short digest of the server's id. */
  readonly server: string;
  readonly servers: number;
  readonly lost: number;
  readonly bus: string;
  readonly isWhole: boolean;
}

/** Checks which servers answer at this address, and whether they form one whole cluster. */
export function serversCheck(checkup: Checkup): Check {
  return {
    id: "servers",
    title: "Servers",
    needs: ["health"],
    limitMs: LIMIT_MS,
    async run(signal) {
      const { base, proxy } = checkup.target;
      const replies: (Reply | NoReply)[] = [];
      for (let at = 0; at < PROBES; at += 1) replies.push(await probe(`${base}/healthz`, { signal, proxy }));
      checkup.isCluster = replies.some((reply) => seenIn(reply) !== undefined);
      return judgeServers(replies, checkup.server?.id);
    },
  };
}

/** Judges answers of the health check. `connectedTo` is the id of the server that has the doctor's worker, if known. */
export function judgeServers(replies: readonly (Reply | NoReply)[], connectedTo: string | undefined): Finding {
  const answers = replies.filter((reply): reply is Reply => reply.kind === "reply");
  const seen = answers.map(seenIn);
  const inCluster = seen.filter((each) => each !== undefined);
  const worker = connectedTo === undefined ? "" : `; the worker is connected to ${connectedTo}`;
  if (inCluster.length === 0) return good(`${answersOf(answers)} came from a server without a cluster${worker}`);
  if (inCluster.length < answers.length)
    return warning(
      `${inCluster.length} of ${answers.length} answers came from servers of a cluster, the others from one without${worker}`,
      "Set the same NATS_URL and CLUSTER_NAME on all servers behind this address.",
    );
  const marks = [...new Set(inCluster.map(({ server }) => server))];
  const size = Math.max(...inCluster.map(({ servers }) => servers));
  const known = connectedTo === undefined ? "" : serverMark(connectedTo);
  const named = marks.slice(0, MAX_NAMED).map((mark) => (mark === known ? `${connectedTo}` : mark));
  if (marks.length > MAX_NAMED) named.push("…");
  const measured = `${answersOf(answers)} came from ${marks.length === 1 ? "one server" : `${marks.length} servers`} (${named.join(", ")}) of a cluster of ${size}`;
  if (inCluster.some(({ bus }) => bus !== "up"))
    return warning(
      `${measured}; NATS cannot be reached`,
      "Check nats-server and NATS_URL. Until NATS is back, servers that are linked go on together, and others work alone.",
    );
  const lost = Math.max(...inCluster.map((each) => each.lost));
  if (lost > 0)
    return warning(
      `${measured}; ${lost} more ${lost === 1 ? "is" : "are"} gone without a goodbye`,
      "The dashboard of any server has the name. A server that does not come back is forgotten after some minutes.",
    );
  if (marks.length > size || inCluster.some(({ servers }) => servers !== size))
    return warning(
      `${measured}, and they do not agree on how many there are`,
      "Set the same NATS_URL and CLUSTER_NAME on all servers. Servers that have just started need a few seconds.",
    );
  if (inCluster.some(({ isWhole }) => !isWhole))
    return warning(
      `${measured}; not all of them work together and have the same keys`,
      "The problems on the dashboard of each server say which peer it cannot use or has other keys, and what to do.",
    );
  return good(`${measured}, which is whole${worker}`);
}

/** Reads an answer of the health check. Its content is untrusted, so only members of the right form are shown. */
function seenIn(reply: Reply | NoReply): Seen | undefined {
  const json = reply.kind === "reply" ? parseJson(reply.text) : undefined;
  const cluster = isRecord(json) ? json["cluster"] : undefined;
  if (!isRecord(cluster)) return undefined;
  const { server, servers, peers_lost: lost, bus, is_whole: isWhole } = cluster;
  const isForm =
    typeof server === "string" &&
    /^[0-9a-f]{8}$/.test(server) &&
    isCount(servers) &&
    isCount(lost) &&
    typeof bus === "string";
  return isForm ? { server, servers, lost, bus, isWhole: isWhole === true } : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 10_000;
}

function answersOf({ length }: readonly Reply[]): string {
  return length === 1 ? "1 answer" : `${length} answers`;
}
