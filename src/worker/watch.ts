import type { CancelTimer, Clock, Log } from "../system/deps.ts";
import type { ModelInfo } from "../wire/model-info.ts";
import { ask } from "./ask.ts";
import type { BackendTarget } from "./backend.ts";
import { certificateHint } from "./dial-error.ts";
import type { FoundBackend, Probe, Prober } from "./discover.ts";
import { chooseBackend, findBackends, type UsualPlace } from "./find-backends.ts";
import { UNKNOWN_MEMORY, withReading } from "./loaded-models.ts";
import { type ModelChoice, offeredModels } from "./offered-models.ts";
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
  /** What is said of these models. */
  readonly info: readonly ModelInfo[];
  /** Those of them that are in memory or being loaded; undefined if the backend does not say, or is down. */
  readonly loaded: readonly string[] | undefined;
  /** Jobs that the backend works on at once; undefined if it does not say. */
  readonly slots: number | undefined;
  /** Where that number is from, for people; absent if the backend states it. */
  readonly slotsFrom?: string | undefined;
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
  /** The models that the operator wants to offer. */
  readonly choice: ModelChoice;
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
  /** The backend as the last probe found it; undefined after one that did not. */
  #found: FoundBackend | undefined;
  readonly #warnedOf = new Set<string>();

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#state = {
      isUp: false,
      base: options.base,
      family: undefined,
      version: undefined,
      models: [],
      info: [],
      loaded: undefined,
      slots: undefined,
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
    const { base, paths, family, version } = this.#state;
    if (base === undefined) return undefined;
    return { base, paths, family, version, key: this.#options.key, proxy: this.#proxy };
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

  /** Whether the backend has a place to ask which models are loaded. */
  get canAskLoaded(): boolean {
    return this.#found?.loadedSource !== undefined;
  }

  /**
   * Asks which models are loaded, if the backend has a place to ask. Resolves with the time at which the backend will unload
   * one by itself, in milliseconds since 1970, if it says so.
   */
  async lookAtLoaded(): Promise<number | undefined> {
    const asked = this.#found;
    const source = asked?.loadedSource;
    if (!asked || !source || !this.#state.isUp) return undefined;
    const { key, probeTimeoutMs: timeoutMs, proxyFor } = this.#options;
    const answer = await ask(source.url, { key, timeoutMs, signal: this.#abort.signal, proxyFor });
    const reading = answer.kind === "answered" ? source.read(answer.json) : undefined;
    // A probe may have found something else meanwhile. What a failed question means is the next probe's to find out.
    if (!reading || this.#found !== asked || !this.#state.isUp || this.#abort.signal.aborted) return undefined;
    this.#found = withReading(asked, reading);
    this.#set(this.#upState(this.#found));
    return reading.expiresAt;
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
      if (said.kind === "no_list" && isWorthTelling(said.reason)) refusals.push(downText(said));
      return said;
    };
    const found = await findBackends({ places, probe }, key, this.#abort.signal);
    const chosen = chooseBackend(found);
    if (!chosen || this.#abort.signal.aborted) return { ...this.#state, reason: notFoundText(places, refusals) };
    this.#found = chosen;
    onFound(found, chosen);
    return this.#upState(chosen);
  }

  async #ask(base: string): Promise<BackendState> {
    const { key, choice, probeTimeoutMs, proxyFor } = this.#options;
    const asked = {
      key,
      timeoutMs: probeTimeoutMs,
      signal: this.#abort.signal,
      proxyFor,
      isGuess: false,
      before: this.#found,
    };
    const probe = await this.#options.probe(base, asked);
    this.#unanswered = probe.kind === "silent" && probe.isBusy ? this.#unanswered + 1 : 0;
    this.#found = probe.kind === "found" ? probe.backend : undefined;
    if (probe.kind === "found") return this.#upState(probe.backend);
    if (this.#state.isUp && this.#unanswered > 0 && this.#unanswered < BUSY_PROBES) return this.#state;
    // Some servers have no list, or one that fails; their operator can name the models.
    if (probe.kind === "no_list" && namesModels(choice) && IS_WITHOUT_LIST.test(probe.reason)) {
      const unknown = { family: undefined, version: undefined, slots: undefined, paths: undefined };
      return this.#upState({ base, models: [], info: [], listsModels: false, ...unknown, ...UNKNOWN_MEMORY });
    }
    return { ...this.#state, isUp: false, loaded: undefined, reason: downText(probe) };
  }

  #upState(backend: FoundBackend): BackendState {
    const { base, family, version, slots, slotsFrom, paths } = backend;
    const { models, info, loaded, unlisted } = offeredModels(backend, this.#options.choice);
    this.#warnAboutUnlisted(base, unlisted);
    return {
      isUp: true,
      base,
      family,
      version,
      models,
      info,
      loaded,
      slots,
      slotsFrom,
      paths,
      reason: undefined,
    };
  }

  #chooseProxy(): void {
    const { base } = this.#state;
    this.#proxy = base === undefined ? false : this.#options.proxyFor(base);
  }

  /** Warns about models that are offered on the operator's word alone: each may be a typing error. */
  #warnAboutUnlisted(base: string, unlisted: readonly string[]): void {
    const models = unlisted.filter((model) => !this.#warnedOf.has(model));
    if (models.length === 0) return;
    for (const model of models) this.#warnedOf.add(model);
    this.#options.log.warn("models.unlisted", {
      backend: base,
      models: models.join(",").slice(0, 512),
      hint: "the model server does not list these; they are offered because MODELS or RENAME names them",
    });
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
    else if (differsInMemory(was, next)) log.debug("models.loaded", { backend: base, loaded: next.loaded?.length });
    else log.info("models.changed", { backend: base, models: next.models.length });
    if (next.isUp && next.models.length === 0) log.warn("backend.without_models", { backend: base });
    this.#options.onChange(next);
  }
}

/** Whether two states that differ do so only in what is loaded. */
function differsInMemory(was: BackendState, next: BackendState): boolean {
  const names = (info: readonly ModelInfo[]): readonly ModelInfo[] => info.map(({ status: _status, ...rest }) => rest);
  return Bun.deepEquals({ ...was, loaded: [], info: names(was.info) }, { ...next, loaded: [], info: names(next.info) });
}

/**
 * The answers of a server that works but lists no models: it has no such path, or fails there. 503 says that it is
 * starting.
 */
const IS_WITHOUT_LIST = /^(?:answers (?:40[45]|50[01]) |does not answer with a list)/;

function namesModels({ models = [], renames }: ModelChoice): boolean {
  return renames.length > 0 || models.some((model) => !model.includes("*"));
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

/** Whether an answer at a usual place tells the operator what to do. */
function isWorthTelling(reason: string): boolean {
  return wantsAnotherKey(reason) || reason.startsWith("lists no model");
}

function wantsAnotherKey(reason: string): boolean {
  return /\banswers 40[13] at /.test(reason);
}

/** Says where no server was found; `refusals` are the answers of places that an operator can do something about. */
function notFoundText(places: readonly UsualPlace[], refusals: readonly string[]): string {
  const looked = places.map(({ label, base }) => `${label} at ${new URL(base).origin}`).join(", ");
  return [`no model server found on this machine; looked for ${looked || "none"}`, ...refusals]
    .join("; ")
    .slice(0, 512);
}
