import type { CancelTimer, Clock, Log } from "../system/deps.ts";
import type { BackendTarget } from "./backend.ts";
import { certificateHint } from "./dial-error.ts";
import type { FoundBackend, Probe, Prober } from "./discover.ts";
import { chooseBackend, findBackends, type UsualPlace } from "./find-backends.ts";
import { allowedModels } from "./model-list.ts";
import type { ProxyChoice } from "./outgoing-proxy.ts";
import type { PathMap } from "./route.ts";

/** The current knowledge about the backend. */
export interface BackendState {
  readonly isUp: boolean;
  /** Undefined until one has been found. */
  readonly base: string | undefined;
  readonly family: string | undefined;
  readonly version: string | undefined;
  /** The models that may be offered; while the backend is down, the last known ones. */
  readonly models: readonly string[];
  /** URLs of jobs on a server with paths of its own. */
  readonly paths: PathMap | undefined;
  /** Why the backend is not up, in words. */
  readonly reason: string | undefined;
}

export interface WatchOptions {
  /** The base URL that the operator gave; undefined: look in `places`. */
  readonly base: string | undefined;
  readonly key: string | undefined;
  readonly places: readonly UsualPlace[];
  readonly probe: Prober;
  readonly proxyFor: ProxyChoice;
  /** The only model ids to offer; undefined: all. */
  readonly allowed: readonly string[] | undefined;
  readonly intervalMs: number;
  /** How long the backend may take to answer. */
  readonly probeTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: (state: BackendState) => void;
  /** Called when servers were found in the usual places; `chosen` is one of them. */
  readonly onFound: (found: readonly FoundBackend[], chosen: FoundBackend) => void;
}

/** How often a backend that is down is asked: more often, since it is near and jobs wait for it. */
const DOWN_INTERVAL_MS = 5000;
/** Unanswered probes in a row before a server that accepts connections counts as down: it may just be computing. */
const BUSY_PROBES = 2;

/** Watches the backend: whether it is up, and which models it has. The only owner of that knowledge. */
export class BackendWatch {
  readonly #options: WatchOptions;
  readonly #abort = new AbortController();
  #state: BackendState;
  /** The proxy on the way to the backend: chosen once, and not for each job. */
  #proxy: string | false = false;
  #cancelTimer: CancelTimer | undefined;
  #probing: Promise<void> | undefined;
  #unanswered = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#state = {
      isUp: false,
      base: options.base,
      family: undefined,
      version: undefined,
      models: [],
      paths: undefined,
      reason: "the model server has not been asked yet",
    };
    this.#chooseProxy();
  }

  get state(): BackendState {
    return this.#state;
  }

  /** The place where jobs are sent, also while the backend counts as down: it may be back before the next probe. */
  get target(): BackendTarget | undefined {
    const { base, paths } = this.#state;
    return base === undefined ? undefined : { base, paths, key: this.#options.key, proxy: this.#proxy };
  }

  /** Probes now, and then at every interval until `stop`. Resolves when this probe is over. */
  look(): Promise<void> {
    this.#cancelTimer?.();
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
      if (!this.#abort.signal.aborted)
        this.#cancelTimer = this.#options.clock.after(this.#nextMs(), () => void this.look());
    });
    return this.#probing;
  }

  stop(): void {
    this.#abort.abort();
    this.#cancelTimer?.();
  }

  #nextMs(): number {
    const { intervalMs } = this.#options;
    return this.#state.isUp || this.#state.base === undefined ? intervalMs : Math.min(intervalMs, DOWN_INTERVAL_MS);
  }

  async #probe(): Promise<void> {
    const next = this.#state.base === undefined ? await this.#search() : await this.#ask(this.#state.base);
    if (!this.#abort.signal.aborted) this.#set(next);
  }

  async #search(): Promise<BackendState> {
    const { places, key, onFound } = this.#options;
    const refusals: string[] = [];
    const probe: Prober = async (base, options) => {
      const said = await this.#options.probe(base, options);
      if (said.kind === "no_list" && wantsAnotherKey(said.reason)) refusals.push(downText(said));
      return said;
    };
    const found = await findBackends({ places, probe }, key, this.#abort.signal);
    const chosen = chooseBackend(found);
    if (!chosen || this.#abort.signal.aborted) return { ...this.#state, reason: notFoundText(places, refusals) };
    onFound(found, chosen);
    return this.#upState(chosen);
  }

  async #ask(base: string): Promise<BackendState> {
    const { key, allowed, probeTimeoutMs, proxyFor } = this.#options;
    const asked = { key, timeoutMs: probeTimeoutMs, signal: this.#abort.signal, proxyFor, isGuess: false };
    const probe = await this.#options.probe(base, asked);
    this.#unanswered = probe.kind === "silent" && probe.isBusy ? this.#unanswered + 1 : 0;
    if (probe.kind === "found") return this.#upState(probe.backend);
    if (this.#state.isUp && this.#unanswered > 0 && this.#unanswered < BUSY_PROBES) return this.#state;
    // Some servers have no list; their operator can name the models.
    if (probe.kind === "no_list" && allowed && /^answers 40[45]/.test(probe.reason)) {
      const unknown = { family: undefined, version: undefined, paths: undefined };
      return this.#upState({ base, models: allowed, listsModels: false, ...unknown });
    }
    return { ...this.#state, isUp: false, reason: downText(probe) };
  }

  #upState({ base, family, version, models, listsModels, paths }: FoundBackend): BackendState {
    const { allowed } = this.#options;
    return {
      isUp: true,
      base,
      family,
      version,
      models: listsModels ? allowedModels(models, allowed) : (allowed ?? models),
      paths,
      reason: undefined,
    };
  }

  #chooseProxy(): void {
    const { base } = this.#state;
    this.#proxy = base === undefined ? false : this.#options.proxyFor(base);
  }

  #set(next: BackendState): void {
    const was = this.#state;
    if (Bun.deepEquals(was, next)) return;
    this.#state = next;
    this.#chooseProxy();
    const { base, family, version } = next;
    const { log } = this.#options;
    if (!next.isUp) log.warn("backend.not_ready", { backend: base, reason: next.reason, hint: hintFor(next.reason) });
    else if (!was.isUp) log.info("backend.ready", { backend: base, family, version, models: next.models.length });
    else log.info("models.changed", { backend: base, models: next.models.length });
    if (next.isUp && next.models.length === 0) log.warn("backend.without_models", { backend: base });
    this.#options.onChange(next);
  }
}

function downText(probe: Exclude<Probe, { kind: "found" }>): string {
  const text = probe.kind === "silent" ? `does not answer: ${probe.reason}` : probe.reason;
  return `model server at ${new URL(probe.base).origin} ${text}`.slice(0, 512);
}

/** Returns what the operator can do about a model server that is not ready; undefined where the reason says enough. */
function hintFor(reason: string | undefined): string | undefined {
  return wantsAnotherKey(reason ?? "")
    ? "set --backend-key (COMPLETION_API_KEY) to a key that the model server accepts"
    : certificateHint(reason ?? "");
}

function wantsAnotherKey(reason: string): boolean {
  return /\banswers 40[13] at /.test(reason);
}

/** Says where no server was found; `refusals` are the answers of places that rejected the key. */
function notFoundText(places: readonly UsualPlace[], refusals: readonly string[]): string {
  const looked = places.map(({ label, base }) => `${label} at ${new URL(base).origin}`).join(", ");
  return [`no model server found on this machine; looked for ${looked || "none"}`, ...refusals]
    .join("; ")
    .slice(0, 512);
}
