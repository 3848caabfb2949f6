import type { CancelTimer, Deps } from "../deps.ts";
import { connectUrl, type WorkerSettings } from "./args.ts";
import type { HostFacts, HostLoad } from "./host.ts";
import { type Kind, statusMessage } from "./kind.ts";
import { WorkerLink } from "./link.ts";
import { createModelBackend } from "./model-backend.ts";
import { type LinkEnd, planRetry, type RetryLimits, refusalHint } from "./retry.ts";
import type { BackendState, BackendWatch } from "./watch.ts";

export interface DialerOptions {
  readonly kind: Kind;
  readonly settings: WorkerSettings;
  readonly watch: Pick<BackendWatch, "state" | "target" | "look">;
  readonly host: HostFacts;
  readonly load: () => HostLoad;
  readonly deps: Deps;
  readonly version: string;
  readonly random: () => number;
  readonly retry: RetryLimits;
  readonly registerTimeoutMs: number;
  readonly onRegistered: (workerId: string) => void;
}

/** Keeps one kind connected: dials, says what the backend offers, and dials again whenever the link has ended. */
export class Dialer {
  readonly #options: DialerOptions;
  #link: WorkerLink | undefined;
  #workerId: string | undefined;
  /** What the server was told last. */
  #told: BackendState;
  #failures = 0;
  #cancelRetry: CancelTimer | undefined;
  #stopped: Promise<void> | undefined;
  #onStopped: (() => void) | undefined;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#workerId = options.settings.id;
    this.#told = options.watch.state;
  }

  start(): void {
    if (this.#stopped === undefined) this.#dial();
  }

  /** Tells the server what has changed. */
  announce(): void {
    const { settings, host, watch } = this.#options;
    // While draining there is nothing to offer; the message would take the drain back.
    if (this.#stopped !== undefined || watch.state === this.#told) return;
    this.#link?.sendControl(statusMessage(settings, host, watch.state, this.#told));
    this.#told = watch.state;
  }

  /** Finishes what runs, for at most the drain timeout, says goodbye, and resolves when the link is closed. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #stop(): Promise<void> {
    this.#cancelRetry?.();
    const link = this.#link;
    if (!link) return Promise.resolve();
    const { settings, deps } = this.#options;
    return new Promise((resolve) => {
      const cancel = deps.clock.after(settings.drainTimeoutMs, () => link.breakOff("the worker stopped"));
      this.#onStopped = () => {
        cancel();
        resolve();
      };
      link.sendControl({ type: "status_update", status: "draining", max_concurrency: settings.maxConcurrency });
      link.drain();
    });
  }

  #dial(): void {
    const { kind, settings, watch, host, load, deps, version, random, registerTimeoutMs } = this.#options;
    const link = new WorkerLink({
      url: connectUrl(settings.server, kind.name),
      register: () => {
        this.#told = watch.state;
        return kind.register({ settings, workerId: this.#workerId, version, host, backend: watch.state });
      },
      jobs: {
        backend: createModelBackend(() => watch.target),
        maxConcurrency: settings.maxConcurrency,
        requestTimeoutMs: settings.requestTimeoutMs ?? kind.silenceMs,
        onUnreachable: () => void watch.look(),
      },
      load,
      clock: deps.clock,
      log: deps.log,
      random,
      registerTimeoutMs,
      onRegistered: ({ worker_id, session_id }) => {
        this.#workerId = worker_id;
        deps.log.info("link.opened", { worker: worker_id, session: session_id });
        // A registration has no room for why a worker is not ready.
        if (!this.#told.isUp) link.sendControl(statusMessage(settings, host, this.#told));
        this.announce();
        this.#options.onRegistered(worker_id);
      },
      onClosed: (end) => this.#handleClosed(end),
    });
    this.#link = link;
  }

  #handleClosed(end: LinkEnd): void {
    const { deps, random, retry, settings } = this.#options;
    this.#link = undefined;
    if (this.#stopped !== undefined) return this.#onStopped?.();
    const { delayMs, failures } = planRetry(end, this.#failures, random, retry);
    this.#failures = failures;
    const hint = refusalHint(end.code, end.reason);
    const fields = { code: end.code, reason: end.reason.slice(0, 200), hint, retry_in_ms: delayMs };
    if (end.retryAfterMs !== undefined) deps.log.info("link.closed", fields);
    else deps.log.warn(hint === undefined ? "link.closed" : "link.refused", fields);
    // An id that the server once made may have gone to someone else since: another one serves as well.
    if (end.reason === "id in use") this.#workerId = settings.id;
    this.#cancelRetry = deps.clock.after(delayMs, () => this.#dial());
  }
}
