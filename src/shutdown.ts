import type { App } from "./app/contract.ts";
import type { Config } from "./config.ts";
import type { Listening } from "./listen.ts";
import type { Deps } from "./system/deps.ts";

/**
 * How long workers have to connect to other servers of the cluster before this one drains: a worker dials within half a
 * second, so that many of them do not arrive at once.
 */
const OVERLAP_MS = 1000;

/** How long peers have to take their last frames before their connections are cut. */
const CLOSE_MS = 2000;

/**
 * Shuts down in order. With a drain delay, or with another server of the cluster that is ready, health answers 503 and workers
 * connect to the server that takes over, while this one serves as before: for the delay, and then until no request waits
 * here, for up to `queueTimeoutMs`. Then it refuses new jobs and workers, tells workers, and lets running jobs finish, until
 * `drainTimeoutMs` after the delay. At last it closes sessions and stops listeners. Health answers 503 meanwhile, so the
 * listener stays open until the jobs are done. In a cluster, jobs that wait or still arrive go to workers of other servers.
 */
export async function shutDown(app: App, listening: Listening, config: Config, { clock, log }: Deps): Promise<void> {
  const delayMs = Math.max(config.drainDelayMs, app.hasSuccessor() ? OVERLAP_MS : 0);
  if (delayMs > 0) {
    log.info("server.handing_over", { delay_ms: delayMs });
    app.handOver();
    await new Promise<void>((resolve) => clock.after(delayMs, resolve));
  }
  const endsAt = clock.elapsed() + config.drainTimeoutMs;
  // Without a cluster, a request that waits here cannot move, and a worker may be about to have a free slot.
  if (config.drainDelayMs > 0 && !app.hasSuccessor())
    await within(clock, Math.min(config.queueTimeoutMs, config.drainTimeoutMs), app.noneWaits());
  log.info("server.draining", { timeout_ms: config.drainTimeoutMs });
  const finished = await within(clock, Math.max(0, endsAt - clock.elapsed()), app.drain());
  if (!finished) log.warn("server.drain_timed_out");
  app.close();
  await within(clock, CLOSE_MS, listening.stopAccepting());
  await within(clock, CLOSE_MS, listening.stop());
  log.info("server.stopped", { finished });
}

/** Whether `work` ended in time. It continues otherwise. */
async function within(clock: Deps["clock"], ms: number, work: Promise<void>): Promise<boolean> {
  let cancel = (): void => {};
  const late = new Promise<false>((resolve) => {
    cancel = clock.after(ms, () => resolve(false));
  });
  const done = await Promise.race([work.then(() => true), late]);
  cancel();
  return done;
}
