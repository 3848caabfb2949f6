import type { Backend } from "../answering/opening.ts";
import type { CancelTimer, Deps, Log } from "../system/deps.ts";
import { CLOSES, type CloseName, closeName } from "../wire/closes.ts";
import type { Terms } from "../wire/server-messages.ts";
import type { ControlMessage } from "../wire/worker-messages.ts";
import type { WorkerSettings } from "./args.ts";
import { ClientKeys } from "./client-keys.ts";
import type { HostLoad } from "./host.ts";
import { type FirstMessage, WorkerLink } from "./link.ts";
import type { LinkKeys } from "./link-keys.ts";
import type { ProxyChoice } from "./outgoing-proxy.ts";
import type { OwnId } from "./own-id.ts";
import { closeHint, type LinkEnd, planRetry, type RetryLimits } from "./retry.ts";
import { connectUrl } from "./server-url.ts";

/** The messages in which a worker describes itself to the server. */
export interface Introduction {
  /**
   * Makes the first message, to which the dialer adds the keys. `workerId` is the operator's, or the one that the server
   * made; undefined before that.
   */
  first(workerId: string | undefined): FirstMessage;
  /** Makes a message of what has changed since the last one; undefined for nothing. */
  update(): ControlMessage | undefined;
}

export interface DialerOptions {
  /** The word in the path of its links: `llm` for `/api/llm/connect`. */
  readonly kind: string;
  readonly settings: Pick<WorkerSettings, "server" | "clientKeys" | "id" | "drainTimeoutMs" | "dialTimeoutMs">;
  /** The keys of a worker that joins, or has joined; those of the settings unless given. */
  readonly keys?: LinkKeys | undefined;
  /** The id that the worker has made for itself, unless the operator chose one. Absent: the server makes it. */
  readonly ownId?: OwnId | undefined;
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
  /** Called with the version of the server on each link; undefined for one that does not say it. */
  readonly onServerVersion?: ((version: string | undefined) => void) | undefined;
}

const OTHER_ID =
  "another worker has the id that this one had kept, so it takes another one; give it an --id to choose one";

/** The longest pause between attempts to reach the server that takes over, while the old link still lives. */
const SUCCESSOR_CAP_MS = 10_000;

/**
 * Keeps one kind connected: dials, introduces the worker, and dials again whenever a link has ended. While a server is being
 * replaced there are two links: one finishes at the old server as the other begins at the new one.
 */
export class Dialer {
  readonly #options: DialerOptions;
  readonly #keys: LinkKeys;
  /** The newest link; undefined while none is dialled. */
  #link: WorkerLink | undefined;
  /** Links to servers that are being replaced. */
  readonly #leaving = new Set<WorkerLink>();
  #workerId: string | undefined;
  #failures = 0;
  #cancelRetry: CancelTimer | undefined;
  #stopped: Promise<void> | undefined;
  #onStopped: (() => void) | undefined;

  constructor(options: DialerOptions) {
    this.#options = options;
    this.#workerId = options.settings.id ?? options.ownId?.current();
    this.#keys = options.keys ?? new ClientKeys(options.settings.clientKeys);
  }

  /** Whether the server has answered the registration on the present link. */
  get isRegistered(): boolean {
    return this.#link?.isRegistered === true;
  }

  /** How many jobs run, on all links together. */
  get running(): number {
    return this.#links().reduce((sum, link) => sum + link.running, 0);
  }

  start(): void {
    if (this.#stopped === undefined) this.#dial();
  }

  /** Tells the server what has changed, if anything. */
  announce(): void {
    const links = this.#links().filter(({ isRegistered }) => isRegistered);
    // A draining worker offers nothing; the message would revoke the drain.
    if (this.#stopped !== undefined || links.length === 0) return;
    const message = this.#options.introduction.update();
    if (message) for (const link of links) link.sendControl(message);
  }

  /** Lets running jobs finish, for at most the drain timeout, and resolves when all links are closed. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #stop(): Promise<void> {
    this.#cancelRetry?.();
    const links = this.#links();
    if (links.length === 0) return Promise.resolve();
    const { settings, deps } = this.#options;
    return new Promise((resolve) => {
      const cancel = deps.clock.after(settings.drainTimeoutMs, () => {
        for (const link of this.#links()) link.breakOff("the worker stopped");
      });
      this.#onStopped = () => {
        cancel();
        resolve();
      };
      for (const link of links) {
        link.sendControl({ type: "status_update", status: "draining", max_concurrency: this.#options.slots() });
        link.drain();
      }
    });
  }

  #links(): readonly WorkerLink[] {
    return this.#link ? [this.#link, ...this.#leaving] : [...this.#leaving];
  }

  #dial(): void {
    const turn = this.#keys.turn?.();
    if (!turn) return this.#dialNow();
    void turn.then(() => {
      if (this.#stopped === undefined) this.#dial();
    });
  }

  #dialNow(): void {
    const { kind, settings, introduction, backend, slots, requestTimeoutMs, onUnreachable } = this.#options;
    const { load, deps, random, proxyFor } = this.#options;
    const { dialTimeoutMs } = settings;
    const url = connectUrl(settings.server, kind);
    const link: WorkerLink = new WorkerLink({
      url,
      proxy: proxyFor(url),
      register: () => ({ ...introduction.first(this.#workerId), ...this.#keys.fields() }),
      jobs: {
        backend,
        maxConcurrency: slots,
        runningElsewhere: () => (this.#leaving.size === 0 ? 0 : this.#runningBeside(link)),
        requestTimeoutMs,
        onUnreachable,
      },
      load,
      clock: deps.clock,
      log: deps.log,
      random,
      dialTimeoutMs,
      onRegistered: ({ worker_id, session_id, server_id, server_version, credential }) => {
        this.#workerId = worker_id;
        if (worker_id !== this.#options.ownId?.current()) this.#options.ownId?.take(worker_id);
        this.#keys.handleRegistered?.({ credential });
        deps.log.info("link.opened", {
          worker: worker_id,
          session: session_id,
          server: server_id,
          server_version,
        });
        this.announce();
        this.#options.onRegistered(worker_id);
        this.#options.onServerVersion?.(server_version);
      },
      onTerms: (terms) => logTerms(terms, deps.log),
      onLeaving: (retryAfterMs) => this.#handleLeaving(link, retryAfterMs),
      onClosed: (end) => this.#handleClosed(link, end),
    });
    this.#link = link;
  }

  #runningBeside(link: WorkerLink): number {
    return this.#links().reduce((sum, each) => (each === link ? sum : sum + each.running), 0);
  }

  /** Plans a second link, to the server that takes over from that of the first. */
  #handleLeaving(link: WorkerLink, retryAfterMs: number): void {
    if (this.#stopped !== undefined || link !== this.#link) return;
    this.#link = undefined;
    this.#leaving.add(link);
    this.#redial({ code: CLOSES.draining.code, reason: "", registeredMs: undefined, retryAfterMs });
  }

  #handleClosed(link: WorkerLink, end: LinkEnd): void {
    const wasLeaving = this.#leaving.delete(link);
    if (link === this.#link) this.#link = undefined;
    if (this.#stopped !== undefined) {
      if (this.#links().length === 0) this.#onStopped?.();
      return;
    }
    const { log } = this.#options.deps;
    // Once the link to the new server is dialled, the end of the old one changes nothing.
    if (wasLeaving && this.#link) return log.info("link.closed", toFields(end));
    const delayMs = this.#redial(end);
    const name = closeName(end);
    const losesId = this.#losesId(name);
    const hint = losesId ? OTHER_ID : (this.#keys.hint?.(name) ?? closeHint(end));
    const fields = { ...toFields(end), hint, retry_in_ms: delayMs };
    // The old server refuses the worker until the new one takes over, as it should.
    if (end.retryAfterMs !== undefined || this.#leaving.size > 0) log.info("link.closed", fields);
    else log.warn(hint === undefined || hint === end.hint ? "link.closed" : "link.refused", fields);
    // An id that the server once made may belong to another worker by now; a new one serves as well.
    if (losesId) this.#changeId(name);
    else if (name === "id_in_use") this.#workerId = this.#options.settings.id;
    this.#keys.handleClosed(name);
  }

  /** Whether a link ended because another worker has the id that this one has made. */
  #losesId(name: CloseName | undefined): boolean {
    if (this.#options.ownId === undefined) return false;
    return name === "id_in_use" || name === "id_not_allowed" || (name === "replaced" && this.#link === undefined);
  }

  #changeId(name: CloseName | undefined): void {
    const { ownId } = this.#options;
    // A key that is bound to an id gets that one.
    if (name !== "id_not_allowed") ownId?.renew(this.#workerId);
    this.#workerId = name === "id_not_allowed" ? undefined : ownId?.current();
  }

  /** Plans the next dial after this end, and returns in how many milliseconds. */
  #redial(end: LinkEnd): number {
    const { deps, random, retry } = this.#options;
    const limits = this.#leaving.size === 0 ? retry : { ...retry, capMs: Math.min(retry.capMs, SUCCESSOR_CAP_MS) };
    const { delayMs, failures } = planRetry(end, this.#failures, random, limits);
    this.#failures = failures;
    this.#cancelRetry?.();
    this.#cancelRetry = deps.clock.after(delayMs, () => this.#dial());
    return delayMs;
  }
}

/** The most models that a log line names. */
const MAX_NAMED = 20;

/** Tells the operator what the worker's key does not allow. */
function logTerms({ models, refused_models: refused, tenants, max_slots }: Omit<Terms, "type">, log: Log): void {
  const joined = (names: readonly string[] | undefined): string | undefined => names?.slice(0, MAX_NAMED).join(",");
  log.info("terms.received", { models: joined(models), tenants: joined(tenants), max_slots });
  if (refused === undefined || refused.length === 0) return;
  log.warn("models.refused", {
    models: joined(refused),
    count: refused.length,
    hint: "this worker's key does not allow these models, so the server gives them to nobody: choose others with --models, or ask the operator",
  });
}

function toFields({ code, reason }: LinkEnd): { readonly code: number; readonly reason: string } {
  return { code, reason: reason.slice(0, 200) };
}
