import type { IdentityProblem } from "../auth/identity-provider.ts";
import type { CauseCounts } from "../plugin/failure-cause.ts";
import type { Pulse, WorkerCounts } from "../plugin/reports.ts";
import { findFailures } from "./failure-problems.ts";
import { sumOf } from "./overview-totals.ts";
import type { Found } from "./problems.ts";

/** The figures from which common problems are found. */
export interface ServerFacts {
  readonly isDraining: boolean;
  /** Whether the API asks for no key. */
  readonly isApiOpen: boolean;
  /** Whether keys or roles for operators alone are configured. */
  readonly hasAdmins: boolean;
  /** Whether workers need no key. */
  readonly isClientOpen: boolean;
  /** Whether only programs on this machine reach the server, unless a proxy forwards others. */
  readonly isLoopback: boolean;
  /** Whether a restart would make the server forget which of several owners each worker id belongs to. */
  readonly areOwnersForgotten: boolean;
  /** Whether something that must survive a restart could not be written. */
  readonly areRecordsFailing: boolean;
  /** What is wrong with `KEYS_FILE`; undefined if it is valid, or there is none. */
  readonly keysFileProblem?: string | undefined;
  /** Whether created keys are as last known, because no change of them is heard in the cluster; undefined if they are not. */
  readonly keysAway?: KeysAway | undefined;
  /** Why users cannot sign in through the issuer; undefined if they can, or there is none. */
  readonly identityProblem?: IdentityProblem | undefined;
  readonly plugins: readonly PluginFacts[];
  /** Requests of the last minute, over all plugins. */
  readonly requests: number;
  readonly failures: number;
  /** The causes of these failures, as far as they are known. */
  readonly causes?: CauseCounts;
  /** Requests refused because of their credentials within the last minute. */
  readonly authFailures: number;
}

/** The time for which created keys count as last known. Times are milliseconds since 1970. */
export interface KeysAway {
  readonly since: number;
  readonly until: number;
  /** Whether the keys of the cluster were not read since the start of the server. */
  readonly isUnread: boolean;
  /** Whether `until` has passed. */
  readonly isStale: boolean;
}

export interface PluginFacts {
  readonly id: string;
  /** The name of its work in people's words; its id unless given. */
  readonly label?: string | undefined;
  readonly pulse: Pulse;
  /** Whether a worker has connected since the server started. */
  readonly hadWorkers: boolean;
  /** The workers of other servers that take jobs from this one; undefined without a cluster. */
  readonly remoteWorkers?: WorkerCounts | undefined;
}

/** How long workers may be missing. A worker dials again within half a minute, so a restart is not a problem. */
const WORKERLESS_MS = 10_000;
/** How long workers may be unready: enough to restart a backend or to load another model. */
const UNREADY_MS = 10_000;
const QUEUE_SHARE = { warning: 0.5, critical: 0.9 } as const;
/** How long a queue problem lingers, because a queue near its mark crosses it often. */
const LINGER_MS = 5000;
/** Finds the problems that any server or plugin may have, whatever the plugin does. Pure. */
export function findCommon(facts: ServerFacts): readonly Found[] {
  if (facts.isDraining) {
    return [
      {
        plugin: null,
        code: "draining",
        severity: "info",
        title: "The server is shutting down.",
        advice: "Running requests finish; send new ones to another server, or to this one after its restart.",
      },
    ];
  }
  const isAnyUsed = facts.plugins.some((plugin) => plugin.hadWorkers || sumOf(workersOf(plugin) ?? NO_WORKERS) > 0);
  return [
    ...(isAnyUsed ? [] : findUnused(facts.plugins)),
    ...facts.plugins.flatMap(findInPlugin),
    ...findFailures(facts),
    ...findOpenDoors(facts),
    ...findForgetting(facts),
    ...findInKeysFile(facts),
    ...findKeysAway(facts),
    ...findIdentity(facts),
  ];
}

/** Reports once that nobody has connected to a server that waits for workers, in place of each of its pools. */
function findUnused(plugins: readonly PluginFacts[]): readonly Found[] {
  if (plugins.every((plugin) => workersOf(plugin) === undefined)) return [];
  return [
    {
      plugin: null,
      code: "no_workers",
      severity: "warning",
      title: "No worker has connected since this server started.",
      advice: '"Add a worker" shows the line to run on the machine of a model server.',
      afterMs: WORKERLESS_MS,
    },
  ];
}

function findInPlugin(plugin: PluginFacts): readonly Found[] {
  const { id, pulse, hadWorkers } = plugin;
  const found: Found[] = [];
  const { queue } = pulse;
  const workers = workersOf(plugin);
  const name = plugin.label ?? id;
  if (workers && sumOf(workers) === 0) {
    // A pool that never had a worker is most likely not needed, and all of them together are reported once.
    if (hadWorkers)
      found.push({
        plugin: id,
        code: "no_workers",
        severity: "critical",
        title: `${name}: no worker is connected.`,
        advice:
          "Check that the worker programs are running and can reach this server. Their log says why they were refused.",
        afterMs: WORKERLESS_MS,
      });
  } else if (workers && workers.idle + workers.working === 0) {
    found.push({
      plugin: id,
      code: "no_ready_workers",
      severity: "critical",
      title: `${name}: no worker accepts requests. ${workers.notReady} not ready, ${workers.draining} draining.`,
      advice:
        workers.notReady === 0
          ? "All were drained, here or by their owners. Undrain those that should take requests."
          : "The reason is shown beside each worker; usually its model server is down. Undrain workers that were drained here.",
      afterMs: UNREADY_MS,
    });
  }
  const share = queue && queue.capacity > 0 ? queue.waiting / queue.capacity : 0;
  if (share > QUEUE_SHARE.warning) {
    found.push({
      plugin: id,
      code: "queue_filling",
      severity: share > QUEUE_SHARE.critical ? "critical" : "warning",
      title: `${name}: the queue is more than ${share > QUEUE_SHARE.critical ? "nine tenths" : "half"} full.`,
      advice:
        "Add workers, or let each take more requests at once (--max-concurrency). Requests beyond QUEUE_SIZE are refused.",
      lingerMs: LINGER_MS,
    });
  }
  return found;
}

function findOpenDoors({ isApiOpen, hasAdmins, isClientOpen, isLoopback }: ServerFacts): readonly Found[] {
  const severity = isLoopback ? "info" : "warning";
  const found: Found[] = [];
  if (isApiOpen) {
    found.push({
      plugin: null,
      code: "keys_not_set",
      about: "api",
      severity,
      title: `Anyone who can reach this server may use it${hasAdmins ? "" : " and see this page"}.`,
      advice: "Set API_KEY, or API_HTTP_ROLES behind a proxy that authenticates users.",
    });
  } else if (!hasAdmins) {
    found.push({
      plugin: null,
      code: "admin_key_not_set",
      severity: "info",
      title: "Every client may see this page, drain workers and cancel jobs.",
      advice:
        "Set ADMIN_KEY, or ADMIN_HTTP_ROLES behind a proxy that authenticates users: API keys then open the API only.",
    });
  }
  if (isClientOpen) {
    found.push({
      plugin: null,
      code: "keys_not_set",
      about: "client",
      severity,
      title: "Anyone who can reach this server may connect workers, and so read the requests they get.",
      advice:
        "Set CLIENT_KEY on the server and on its workers, or CLIENT_HTTP_ROLES behind a proxy that authenticates them.",
    });
  }
  return found;
}

function findForgetting({ areOwnersForgotten, areRecordsFailing }: ServerFacts): readonly Found[] {
  const found: Found[] = [];
  if (areRecordsFailing) {
    found.push({
      plugin: null,
      code: "store_write_failed",
      severity: "critical",
      title: "The server cannot write to DATA_DIR. What changes now is lost at a restart.",
      advice: "Check that its disk has room and works. Writing is tried again every ten seconds.",
    });
  }
  if (areOwnersForgotten) {
    found.push({
      plugin: null,
      code: "owners_not_kept",
      severity: "warning",
      title: "After a restart, a worker with another client key may take any worker's id and get what is sent to it.",
      advice: "Set DATA_DIR, so that the server remembers which key each id belongs to, or use a single client key.",
    });
  }
  return found;
}

function findInKeysFile({ keysFileProblem }: ServerFacts): readonly Found[] {
  if (keysFileProblem === undefined) return [];
  return [
    {
      plugin: null,
      code: "keys_file_refused",
      severity: "warning",
      title: "KEYS_FILE is invalid, so the keys of its last valid version stay in effect.",
      advice: `Correct the file; it is read again within a second. ${keysFileProblem}.`,
    },
  ];
}

/** How long changes of keys may be unheard before it is a problem. A restart of NATS takes a second. */
const KEYS_AWAY_MS = 3000;

function findKeysAway({ keysAway }: ServerFacts): readonly Found[] {
  if (!keysAway) return [];
  const { since, until, isUnread, isStale } = keysAway;
  const heard = isUnread
    ? "has not read the keys of its cluster since its start"
    : `has heard of no change of keys since ${clockText(since)}`;
  const ends = isStale
    ? "so it refuses all created keys with 503 until it does"
    : isUnread
      ? `so it accepts only the keys of its own copy, until ${clockText(until)}`
      : `so created keys are accepted as last known, until ${clockText(until)}`;
  return [
    {
      plugin: null,
      code: isStale ? "cluster_keys_stale" : "cluster_keys_away",
      severity: isStale ? "critical" : "warning",
      title: `This server ${heard}, ${ends}.`,
      advice:
        "Check that NATS runs with JetStream and that this server reaches it. Until then, keys cannot be changed here; keys of the settings and of KEYS_FILE are accepted as always. KEYS_STALE_MAX is how long created keys outlive the connection.",
      afterMs: isStale ? 0 : KEYS_AWAY_MS,
    },
  ];
}

/** Writes a time as operators read it: `2027-01-31 14:05:09 UTC`. */
function clockText(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

function findIdentity({ identityProblem }: ServerFacts): readonly Found[] {
  if (identityProblem === undefined) return [];
  const { code, detail } = identityProblem;
  const isRefused = code === "oidc_refused";
  return [
    {
      plugin: null,
      code,
      severity: "warning",
      title: isRefused
        ? "Nobody can sign in through OIDC_ISSUER, because the issuer refuses this server."
        : "Nobody can sign in through OIDC_ISSUER, because the issuer does not answer correctly.",
      advice: isRefused
        ? `Check OIDC_CLIENT_ID, OIDC_CLIENT_SECRET and the redirect URIs that the issuer allows. It says: ${detail}.`
        : `The server tries again every half minute; signed-in users stay signed in. The last answer: ${detail}.`,
    },
  ];
}

const NO_WORKERS: WorkerCounts = { idle: 0, working: 0, notReady: 0, draining: 0 };

/** Counts a plugin's workers, with those of other servers; undefined for a plugin without workers. */
function workersOf({ pulse, remoteWorkers = NO_WORKERS }: PluginFacts): WorkerCounts | undefined {
  const { workers } = pulse;
  return (
    workers && {
      idle: workers.idle + remoteWorkers.idle,
      working: workers.working + remoteWorkers.working,
      notReady: workers.notReady + remoteWorkers.notReady,
      draining: workers.draining + remoteWorkers.draining,
    }
  );
}
