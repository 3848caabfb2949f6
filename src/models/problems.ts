import type { Condition, Subject } from "../plugin/reports.ts";
import { NONE_EXCLUDED } from "../pool/excluded.ts";
import { OTHER_FLOWS } from "../pool/flow-facts.ts";
import type { Pool } from "../pool/pool.ts";
import type { Seat } from "../pool/seat.ts";
import type { Session } from "../tunnel/session.ts";
import type { ColdCache } from "./cold-caches.ts";
import type { Moment } from "./moment.ts";
import { toEjections } from "./serving-state.ts";
import { isOfDoctor } from "./worker-series.ts";
import { statusOf } from "./worker-state.ts";

/** Ping intervals of silence after which a worker is reported. After three intervals its session ends. */
const STALE_INTERVALS = 2;

/** A worker is reported if it failed more than this share of its last jobs, at least two, and one of them recently. */
const FAILING_SHARE = 0.2;
const MIN_FAILURES = 2;
const LATELY_MS = 5 * 60_000;

/** How long a model must have been full before it is reported. */
const SATURATED_MS = 60_000;
const UNSERVED_MS = 10_000;
/** How long the report stays without cause: the queue of a pool at its limit is empty now and then. */
const LINGER_MS = 5000;

/** A caller is reported if it has more than this share of all places in the queue. */
const HOG_SHARE = 0.5;

/** The most models that are reported separately. With more, the problem is the whole queue. */
const MAX_MODELS = 20;

/** How many workers a title names. */
const MAX_NAMED = 3;

/** Finds all problems of a model area. */
export function findInArea(
  pool: Pool,
  cold: readonly ColdCache[],
  pingIntervalMs: number,
  now: Moment,
): readonly Condition[] {
  return [...findInPool(pool, pingIntervalMs, now), ...findColdCaches(pool, cold, now)];
}

/** Finds the problems that only a pool can have. Looks at each seat, and, while any job waits, at each job. */
export function findInPool(pool: Pool, pingIntervalMs: number, now: Moment): readonly Condition[] {
  return [
    ...findInSeats(pool, pingIntervalMs, now.elapsed),
    ...findNotReady(pool),
    ...findEjected(pool, now),
    ...findInQueue(pool),
  ];
}

/** How long a worker may be unready: enough to restart its backend or to load another model. */
const UNREADY_MS = 10_000;
/** The most workers that are reported separately as not ready. With more, the problem is what they have in common. */
const MAX_UNREADY = 5;
/** How much of a worker's own words is quoted. */
const MAX_REASON_CHARS = 120;

/** Reports each worker that is connected, was not drained, and takes no requests. */
function findNotReady(pool: Pool): readonly Condition[] {
  const all = Array.from(pool.seats()).filter((seat) => statusOf(seat) === "not_ready" && !isOfDoctor(seat));
  return all.slice(0, MAX_UNREADY).map(({ session }, at) => {
    const others = at === MAX_UNREADY - 1 ? all.length - MAX_UNREADY : 0;
    const more = others > 0 ? ` So are ${others} more workers.` : "";
    const { reason } = session.offer;
    return {
      code: "worker_not_ready",
      about: session.worker.id,
      subject: { worker: session.worker.id },
      severity: "warning",
      title: `${quote(session.worker.name)} is not ready${reason ? `: ${shortened(reason, MAX_REASON_CHARS)}` : ""}.${more}`,
      advice:
        "Check that its model server runs, has its model and can be reached from the worker. Requests go to other workers.",
      afterMs: UNREADY_MS,
    };
  });
}

/** The most workers that are reported separately as out. With more, the problem is what they have in common. */
const MAX_EJECTED = 10;

function findEjected(pool: Pool, now: Moment): readonly Condition[] {
  const out = Array.from(pool.seats()).flatMap((seat) => {
    const [first] = toEjections(seat, now);
    return first ? [{ ...first, session: seat.session }] : [];
  });
  return out.slice(0, MAX_EJECTED).map(({ session, model, reason, until }, at) => {
    const others = at === MAX_EJECTED - 1 ? out.length - MAX_EJECTED : 0;
    const more = others > 0 ? ` So are ${others} more workers.` : "";
    return {
      code: "worker_ejected",
      about: session.worker.id,
      subject: { worker: session.worker.id, ...(model !== null && { model }) },
      severity: "warning",
      title: `${quote(session.worker.name)} gets no requests${model === null ? "" : ` for ${quote(model)}`}: it failed too often.${more}`,
      advice: `The last failure was ${reason}. One request shows from ${until.slice(11, 19)} UTC on whether it is back. Check its model server.`,
    };
  });
}

function findInSeats(pool: Pool, pingIntervalMs: number, now: number): readonly Condition[] {
  const failing = Array.from(pool.seats()).filter((seat) => isFailing(seat, now));
  const sessions = Array.from(pool.seats(), (seat) => seat.session);
  const stale = findStale(sessions, pingIntervalMs);
  const lastError = failing[0]?.totals.lastError;
  if (lastError === undefined) return stale;
  return [
    ...stale,
    {
      code: "worker_failing",
      subject: subjectOf(failing.map(({ session }) => session)),
      severity: "warning",
      title: `${named(failing.map(({ session }) => session))} failing more than one in five recent requests.`,
      advice: `The last error was ${lastError}. Check its model server, or drain the worker to keep requests off it.`,
    },
  ];
}

/** Reports the sessions whose workers have been silent for too long, as one condition. */
export function findStale(sessions: readonly Session[], pingIntervalMs: number): readonly Condition[] {
  const stale = sessions.filter(({ silentMs }) => silentMs > STALE_INTERVALS * pingIntervalMs);
  if (stale.length === 0) return [];
  return [
    {
      code: "worker_stale",
      subject: subjectOf(stale),
      severity: "warning",
      title: `${named(stale)} silent: no sign of life for more than ${STALE_INTERVALS} ping intervals.`,
      advice:
        "Its machine is asleep or its connection is broken. If it stays silent, it is disconnected, and its requests go elsewhere.",
    },
  ];
}

function isFailing({ totals }: Seat, now: number): boolean {
  const { recent, lastFailedAt } = totals;
  if (lastFailedAt === undefined || now - lastFailedAt > LATELY_MS) return false;
  const { failures } = recent;
  return failures >= MIN_FAILURES && failures > FAILING_SHARE * recent.size;
}

/** Reports the workers whose backends do not keep prompts, as one condition. */
function findColdCaches(pool: Pool, cold: readonly ColdCache[], now: Moment): readonly Condition[] {
  const sessions = new Set(cold.flatMap(({ workerId }) => pool.seatOf(workerId)?.session ?? []));
  if (sessions.size === 0) return [];
  const last = Math.max(...cold.map(({ until }) => until));
  const until = new Date(now.at + last - now.elapsed).toISOString().slice(11, 16);
  return [
    {
      code: "affinity_off",
      subject: subjectOf([...sessions]),
      severity: "info",
      title: `${named([...sessions])} not keeping prompts: less than a fifth of what was expected came from the cache.`,
      advice: `Until ${until} UTC at most, requests go there by load alone. Switch on prefix caching at its model server, give the server more memory for it, or let it hold more conversations at once.`,
    },
  ];
}

function findInQueue(pool: Pool): readonly Condition[] {
  return [...findPushOuts(pool), ...findUnserved(pool), ...findHog(pool)];
}

function findPushOuts({ queue: { recentlyPushedOut }, queueCapacity }: Pool): readonly Condition[] {
  if (recentlyPushedOut === 0) return [];
  return [
    {
      code: "queue_pushing_out",
      severity: "warning",
      title: "The queue is full: waiting requests were refused to make room for other callers within the last minute.",
      advice: `Each time, the caller with the most waiting requests lost one. Add workers, or raise QUEUE_SIZE (${queueCapacity}).`,
    },
  ];
}

/** Finds the caller that holds most of a queue that is filling up. Others are served before it, but may not wait with it. */
function findHog(pool: Pool): readonly Condition[] {
  const { queueLength, queueCapacity } = pool;
  if (queueLength <= HOG_SHARE * queueCapacity) return [];
  const waiting = new Map<string, number>();
  for (const { caller, waiting: count } of pool.flows()) waiting.set(caller, (waiting.get(caller) ?? 0) + count);
  waiting.delete(OTHER_FLOWS);
  const [name, count] = [...waiting].reduce((most, each) => (each[1] > most[1] ? each : most), ["", 0]);
  if (count <= HOG_SHARE * queueCapacity) return [];
  return [
    {
      code: "caller_fills_queue",
      about: name,
      subject: { caller: name },
      severity: "info",
      title: `${quote(name)} holds more than half of the queue's places.`,
      advice:
        "Others are still served in their turn. If it need not hurry, give it the class background; MAX_REQUESTS_PER_KEY bounds how many requests it may have.",
      lingerMs: LINGER_MS,
    },
  ];
}

function findUnserved(pool: Pool): readonly Condition[] {
  if (pool.queueLength === 0) return [];
  const models = new Set<string>();
  for (const job of pool.jobs.all()) {
    if (job.isWaiting) models.add(job.model);
    if (models.size === MAX_MODELS) break;
  }
  return [...models].map((model) => (isReady(pool, model) ? saturated(model) : unserved(model)));
}

/** Returns whether any worker, busy or not, takes requests for a model. */
function isReady(pool: Pool, model: string): boolean {
  return pool.isServed({ model, exact: false, excluded: NONE_EXCLUDED });
}

function saturated(model: string): Condition {
  return {
    code: "model_saturated",
    about: model,
    subject: { model },
    severity: "warning",
    title: `Requests for ${quote(model)} have been waiting for a minute: all its workers are busy.`,
    advice: "Add workers that serve it, or let each take more requests at once (--max-concurrency).",
    afterMs: SATURATED_MS,
    lingerMs: LINGER_MS,
  };
}

function unserved(model: string): Condition {
  return {
    code: "model_not_served",
    about: model,
    subject: { model },
    severity: "critical",
    title: `Requests are waiting for ${quote(model)}, and no worker that serves it is ready.`,
    advice: "Check the workers that serve it. The reason is shown beside each one that is connected.",
    afterMs: UNSERVED_MS,
  };
}

/** The most workers that a condition leads to. */
const MAX_SUBJECTS = 10;

function subjectOf(sessions: readonly Session[]): Subject {
  const [id = "", ...others] = sessions.slice(0, MAX_SUBJECTS).map(({ worker }) => worker.id);
  return others.length === 0 ? { worker: id } : { workers: [id, ...others] };
}

function named(sessions: readonly Session[]): string {
  const names = sessions.slice(0, MAX_NAMED).map(({ worker }) => quote(worker.name));
  const more = sessions.length > MAX_NAMED ? ` and ${sessions.length - MAX_NAMED} more` : "";
  return `${names.join(", ")}${more} ${sessions.length === 1 ? "is" : "are"}`;
}

/** Quotes a name that a worker or client chose, and shortens a long one. */
function quote(text: string): string {
  return `'${shortened(text, 64)}'`;
}

function shortened(text: string, chars: number): string {
  return text.length > chars ? `${text.slice(0, chars - 1)}…` : text;
}
