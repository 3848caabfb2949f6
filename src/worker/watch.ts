import type { CancelTimer, Clock, Log } from "../system/deps.ts";
import type { BackendTarget } from "./backend.ts";
import type { FoundBackend, Probe, Prober } from "./discover.ts";
import { chooseBackend, findBackends, type UsualPlace } from "./find-backends.ts";
import { allowedModels } from "./model-list.ts";
import type { PathMap } from "./route.ts";

/** What is known of the backend right now. */
export interface BackendState {
  readonly isUp: boolean;
  /** Undefined until one has been found. */
  readonly base: string | undefined;
  readonly family: string | undefined;
  readonly version: string | undefined;
  /** What may be offered; the last known ones while it is down. */
  readonly models: readonly string[];
  /** Where jobs go on a server whose paths are its own. */
  readonly paths: PathMap | undefined;
  /** Why it is not up, for people. */
  readonly reason: string | undefined;
}

export interface WatchOptions {
  /** Base URL as the operator gave it; undefined: look at `places`. */
  readonly base: string | undefined;
  readonly key: string | undefined;
  readonly places: readonly UsualPlace[];
  readonly probe: Prober;
  /** Ids that may be offered; undefined: all. */
  readonly allowed: readonly string[] | undefined;
  readonly intervalMs: number;
  /** How long the backend has to answer. */
  readonly probeTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
  readonly onChange: (state: BackendState) => void;
  /** Servers were found in the usual places; `chosen` is one of them. */
  readonly onFound: (found: readonly FoundBackend[], chosen: FoundBackend) => void;
}

/** A backend that is down is looked at more often: it is on this machine or near, and jobs wait for it. */
const DOWN_INTERVAL_MS = 5000;
/** Unanswered probes in a row before a server that takes connections counts as down: one may just be computing. */
const BUSY_PROBES = 2;

/** Keeps an eye on the backend: which models it has, and whether it is there at all. The only owner of that knowledge. */
export class BackendWatch {
  readonly #options: WatchOptions;
  readonly #abort = new AbortController();
  #state: BackendState;
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
  }

  get state(): BackendState {
    return this.#state;
  }

  /** Where jobs go: also while it counts as down, since it may be back before the next look. */
  get target(): BackendTarget | undefined {
    const { base, paths } = this.#state;
    return base === undefined ? undefined : { base, paths, key: this.#options.key };
  }

  /** Looks now, and from then on at every interval until `stop`. Resolves when the first look is over. */
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
    const { key, allowed, probeTimeoutMs } = this.#options;
    const asked = { key, timeoutMs: probeTimeoutMs, signal: this.#abort.signal, isGuess: false };
    const probe = await this.#options.probe(base, asked);
    this.#unanswered = probe.kind === "silent" && probe.isBusy ? this.#unanswered + 1 : 0;
    if (probe.kind === "found") return this.#upState(probe.backend);
    if (this.#state.isUp && this.#unanswered > 0 && this.#unanswered < BUSY_PROBES) return this.#state;
    // Some servers have no list; whoever runs one can name its models.
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

  #set(next: BackendState): void {
    const was = this.#state;
    if (Bun.deepEquals(was, next)) return;
    this.#state = next;
    const { base, family, version } = next;
    const { log } = this.#options;
    if (!next.isUp) log.warn("backend.not_ready", { backend: base, reason: next.reason, hint: keyHint(next.reason) });
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

/** What the operator can do about a model server that wants another key than it got; undefined where it is not that. */
function keyHint(reason: string | undefined): string | undefined {
  return wantsAnotherKey(reason ?? "")
    ? "set --backend-key (COMPLETION_API_KEY) to a key that the model server takes"
    : undefined;
}

function wantsAnotherKey(reason: string): boolean {
  return /\banswers 40[13] at /.test(reason);
}

/** `refusals`: what places said where another key may help. */
function notFoundText(places: readonly UsualPlace[], refusals: readonly string[]): string {
  const looked = places.map(({ label, base }) => `${label} at ${new URL(base).origin}`).join(", ");
  return [`no model server found on this machine; looked for ${looked || "none"}`, ...refusals]
    .join("; ")
    .slice(0, 512);
}
