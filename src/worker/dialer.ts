import type { Backend } from "../answering/opening.ts";
import type { CancelTimer, Deps } from "../system/deps.ts";
import { closeName } from "../wire/closes.ts";
import type { ControlMessage } from "../wire/worker-messages.ts";
import type { WorkerSettings } from "./args.ts";
import { ClientKeys } from "./client-keys.ts";
import type { HostLoad } from "./host.ts";
import { type FirstMessage, WorkerLink } from "./link.ts";
import type { ProxyChoice } from "./outgoing-proxy.ts";
import { closeHint, type LinkEnd, planRetry, type RetryLimits } from "./retry.ts";
import { connectUrl } from "./server-url.ts";

/** The messages in which a worker describes itself to the server. */
export interface Introduction {
  /** Makes the first message, to which the dialer adds the keys. `workerId` is the operator's, or the one that the server made; undefined before that. */
  first(workerId: string | undefined): FirstMessage;
  /** Makes a message of what has changed since the last one; undefined for nothing. */
  update(): ControlMessage | undefined;
}

export interface DialerOptions {
  /** The word in the path of its links: `llm` for `/api/llm/connect`. */
  readonly kind: string;
  readonly settings: Pick<WorkerSettings, "server" | "clientKeys" | "id" | "drainTimeoutMs" | "dialTimeoutMs">;
  /** Returns how many jobs it takes at once now. */
  readonly slots: () => number;
  readonly introduction: Introduction;
  readonly backend: Backend;
  /** Longest silence of the backend on one job. */
  readonly requestTimeoutMs: number;
  /** Called when a job failed because the backend cannot be reached. */
  readonly onUnreachable: () => void;
  readonly load: () => HostLoad;
  readonly deps: Deps;
  readonly random: () => number;
  readonly retry: RetryLimits;
  readonly proxyFor: ProxyChoice;
  readonly onRegistered: (workerId: string) => void;
}

/** Keeps one kind connected: dials, introduces the worker, and dials again whenever a link has ended. */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #keys: ClientKeys;
  #link: WorkerLink | undefined;
  #workerId: string | undefined;
  #failures = 0;
  #cancelRetry: CancelTimer | undefined;
  #stopped: Promise<void> | undefined;
  #onStopped: (() => void) | undefined;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#workerId = options.settings.id;
    this.#keys = new ClientKeys(options.settings.clientKeys);
  }

  /** Whether the server has answered the registration on the present link. */
  get isRegistered(): boolean {
    return this.#link?.isRegistered === true;
  }

  start(): void {
    if (this.#stopped === undefined) this.#dial();
  }

  /** Tells the server what has changed, if anything. */
  announce(): void {
    // A draining worker offers nothing; the message would revoke the drain.
    if (this.#stopped !== undefined || !this.#link?.isRegistered) return;
    const message = this.#options.introduction.update();
    if (message) this.#link.sendControl(message);
  }

  /** Lets running jobs finish, for at most the drain timeout, and resolves when the link is closed. */
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
      link.sendControl({ type: "status_update", status: "draining", max_concurrency: this.#options.slots() });
      link.drain();
    });
  }

  #dial(): void {
    const { kind, settings, introduction, backend, slots, requestTimeoutMs, onUnreachable } = this.#options;
    const { load, deps, random, proxyFor } = this.#options;
    const url = connectUrl(settings.server, kind);
    const link = new WorkerLink({
      url,
      proxy: proxyFor(url),
      register: () => ({ ...introduction.first(this.#workerId), ...this.#keys.fields() }),
      jobs: { backend, maxConcurrency: slots, requestTimeoutMs, onUnreachable },
      load,
      clock: deps.clock,
      log: deps.log,
      random,
      dialTimeoutMs: settings.dialTimeoutMs,
      onRegistered: ({ worker_id, session_id }) => {
        this.#workerId = worker_id;
        deps.log.info("link.opened", { worker: worker_id, session: session_id });
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
    const name = closeName(end);
    const hint = closeHint(end);
    const fields = { code: end.code, reason: end.reason.slice(0, 200), hint, retry_in_ms: delayMs };
    if (end.retryAfterMs !== undefined) deps.log.info("link.closed", fields);
    else deps.log.warn(hint === undefined || hint === end.hint ? "link.closed" : "link.refused", fields);
    // An id that the server once made may belong to another worker by now; a new one serves as well.
    if (name === "id_in_use") this.#workerId = settings.id;
    this.#keys.handleClosed(name);
    this.#cancelRetry = deps.clock.after(delayMs, () => this.#dial());
  }
}
