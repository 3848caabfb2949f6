import { type JoinLine, workerLines } from "../../src/join/lines.ts";
import { messageOf } from "./answers.ts";
import { type Arrived, newAmong, type Phase, phaseOf, workersIn } from "./arrival.ts";
import { askFirst } from "./first-answer.ts";
import { aheadRoughly } from "./format.ts";
import { type JoinedWorker, joinedBy, type MadeToken, makeToken } from "./join-token.ts";
import { revokeKey } from "./made-key.ts";
import type { ModelRow } from "./model-kinds.ts";
import type { PoolStore } from "./pool-store.ts";
import type { RouteStore } from "./route.ts";
import {
  argsOf,
  firstSetup,
  PROGRAMS,
  type Program,
  problemOf,
  programFor,
  programOf,
  type System,
  systemOf,
} from "./worker-setup.ts";

/** A worker that has arrived, and what it has answered. */
interface Arrival {
  worker: Arrived;
  question: string;
  text: string;
  figures: string;
  isAsking: boolean;
  isThere: boolean;
  problem: string;
}

/** The most arrivals that are shown, and asked. */
const MAX_ARRIVALS = 20;
/** Milliseconds between two questions about who has joined by the token. */
const ASK_EVERY_MS = 2000;
/**
 * How long a worker that is new, but has no key by the token, is taken for somebody else's. One that had joined before uses its
 * former key and no token.
 */
const STRANGER_MS = 4000;
const HOUR_MS = 3_600_000;

/** The page that adds a worker: `x-data="addWorker"`. What the server tells it is in the attributes of its element. */
export function createAddWorker(pool: () => PoolStore, route: () => RouteStore) {
  return () => {
    /** The workers that were there before the line was; null while there is no line. */
    let before: ReadonlySet<string> | null = null;
    let joined: readonly JoinedWorker[] = [];
    let askedAt = 0;
    /** When each worker was first seen that is not known to have joined by the token. */
    const strangers = new Map<string, number>();
    const stopper = new AbortController();
    const facts = { keeping: "none", workers: "keys", version: "" };
    return {
      programs: PROGRAMS,
      setup: firstSetup("ollama", true),
      system: systemOf(navigator.userAgent) as System,
      origin: location.origin,
      uses: "1",
      hours: "1",
      token: null as MadeToken | null,
      isMaking: false,
      isCopied: false,
      problem: "",
      /** When the line was first there, by the server's clock; 0 while there is none. */
      startedAt: 0,
      arrivals: [] as Arrival[],

      init(): void {
        const { keeping = "", workers = "", version = "", origin = "", callers } = rootOf(this).dataset;
        Object.assign(facts, { keeping, workers, version });
        this.origin = origin || location.origin;
        this.setup = firstSetup("ollama", callers === "keys");
        window.addEventListener("pagehide", () => this.forget());
      },
      destroy(): void {
        stopper.abort();
        this.forget();
      },

      program(): Program {
        return programOf(this.setup.program);
      },
      choose(id: string): void {
        route().set({ program: id, kind: "" });
        this.take(id);
      },
      take(id: string): void {
        if (id === this.setup.program) return;
        Object.assign(this.setup, { program: id, address: programOf(id).address });
        this.startAgain();
      },
      setupProblem(): string {
        if (!/^https?:\/\/[^/\s]+$/.test(this.origin))
          return "The server's address is like https://moorage.example.com.";
        return problemOf(this.setup);
      },
      /** Whether the address of this server leads nowhere on other machines. */
      isLocalOrigin(): boolean {
        return /^https?:\/\/(localhost|127\.|\[::1\])/.test(this.origin);
      },

      /** How the line lets the worker in: by a token of its own, by a client key, or by nothing. */
      way(): "token" | "key" | "open" {
        if (facts.keeping === "made") return "token";
        return facts.workers === "open" ? "open" : "key";
      },
      hasLine(): boolean {
        return this.setupProblem() === "" && (this.way() !== "token" || this.token !== null);
      },
      /** The lines for the chosen system, the best one first. */
      lines(): readonly JoinLine[] {
        if (!this.hasLine()) return [];
        const all = workerLines({
          origin: this.origin,
          version: facts.version,
          kind: this.program().kind,
          args: argsOf(this.setup),
          join: this.token?.text,
          isOpen: this.way() === "open",
        });
        return all.filter(({ system }) => system === this.system || system === "any");
      },
      line(): string {
        return this.lines()[0]?.text ?? "";
      },
      lineLabel(): string {
        return this.lines()[0]?.label ?? "";
      },
      otherLines(): readonly JoinLine[] {
        return this.lines().slice(1);
      },
      async make(): Promise<void> {
        Object.assign(this, { isMaking: true, problem: "" });
        try {
          this.token = Object.freeze(await makeToken(Number(this.uses), Number(this.hours) * HOUR_MS, pool().now));
          this.startAgain();
        } catch (error) {
          this.problem = messageOf(error);
        } finally {
          this.isMaking = false;
        }
      },
      /** Notes that somebody has the line, so that its token stays. */
      copied(): void {
        this.isCopied = true;
      },
      tokenText(): string {
        const { token } = this;
        if (token === null) return "";
        const many = token.uses === 1 ? "one worker" : `${token.uses} workers`;
        return `Its token lets in ${many} and ends ${aheadRoughly(new Date(token.endsAt).toISOString(), pool().now)}.`;
      },
      /** Ends a token that nobody has copied. */
      forget(): void {
        const { token } = this;
        if (token === null || this.isCopied) return;
        revokeKey(token.id);
        this.token = null;
      },
      /** Ends the token, whether or not it was copied. */
      discard(): void {
        this.isCopied = false;
        this.forget();
        this.startedAt = 0;
        before = null;
      },
      startAgain(): void {
        before = null;
        joined = [];
        strangers.clear();
        Object.assign(this, { startedAt: 0, arrivals: [] });
      },

      /** Follows the address and the state of the server. */
      follow(): void {
        const { now, tick } = pool();
        if (tick === 0) return;
        if (!route().is("add")) {
          this.forget();
          return;
        }
        const { program = "", kind = "" } = route().query;
        const wanted = PROGRAMS.find(({ id }) => id === program) ?? programFor(kind);
        if (wanted !== undefined) this.take(wanted.id);
        this.look(now);
      },
      look(now: number): void {
        const { kind } = this.program();
        const workers = workersIn(kind, pool().plugins[kind]);
        if (!this.hasLine()) return;
        if (before === null) {
          before = new Set(workers.map(({ id }) => id));
          this.startedAt = now;
        }
        if (this.token !== null && now - askedAt >= ASK_EVERY_MS) {
          askedAt = now;
          void this.askWhoJoined(this.token.id);
        }
        for (const arrival of this.arrivals) {
          const worker = workers.find(({ id }) => id === arrival.worker.id);
          if (worker !== undefined) arrival.worker = worker;
          this.ask(arrival);
        }
        const ids = new Set(joined.flatMap((each) => each.ids));
        const known = new Set(this.arrivals.map(({ worker }) => worker.id));
        const isOurs = ({ id }: Arrived): boolean => {
          if (known.has(id)) return false;
          if (ids.has(id)) return true;
          if (before?.has(id) !== false) return false;
          if (!strangers.has(id)) strangers.set(id, now);
          return this.token === null || now - (strangers.get(id) ?? now) >= STRANGER_MS;
        };
        const arrived = [...workers.filter(({ id }) => ids.has(id)), ...newAmong(workers, before)].filter(isOurs);
        for (const worker of new Set(arrived)) {
          if (this.arrivals.length >= MAX_ARRIVALS) break;
          this.arrivals.push(arrivalOf(worker));
        }
      },
      async askWhoJoined(tokenId: string): Promise<void> {
        try {
          joined = await joinedBy(tokenId);
        } catch {
          // The next look asks again.
        }
      },
      /** Asks a worker that is ready, once. */
      ask(arrival: Arrival): void {
        const { worker, isAsking, isThere, problem } = arrival;
        if (isAsking || isThere || problem !== "" || !worker.isReady) return;
        void this.askNow(arrival);
      },
      async askNow(arrival: Arrival): Promise<void> {
        Object.assign(arrival, { isAsking: true, problem: "", text: "" });
        const { kind } = this.program();
        const models = (pool().plugins[kind]?.["models"] ?? []) as readonly ModelRow[]; // the server's own
        try {
          const answer = await askFirst({
            kind,
            worker: arrival.worker,
            models,
            signal: stopper.signal,
            onText: (text) => {
              arrival.text = text;
            },
          });
          Object.assign(arrival, answer, { isThere: true });
        } catch (error) {
          arrival.problem = messageOf(error) || "Stopped.";
        } finally {
          arrival.isAsking = false;
        }
      },
      phase(arrival: Arrival): Phase {
        return phaseOf(arrival.worker, arrival, 0);
      },
      /** What the page waits for. */
      waiting(): Phase {
        return phaseOf(undefined, { isAsking: false, isThere: false, problem: "" }, pool().now - this.startedAt);
      },
      /** Whether the line lets in further workers, as far as the page knows. */
      isWaiting(): boolean {
        return this.startedAt > 0 && this.arrivals.length < (this.token?.uses ?? 1);
      },
    };
  };
}

function arrivalOf(worker: Arrived): Arrival {
  return { worker, question: "", text: "", figures: "", isAsking: false, isThere: false, problem: "" };
}

/** Returns the element of a component, which Alpine adds to it. */
function rootOf(component: object): HTMLElement {
  return (component as { readonly $root: HTMLElement }).$root;
}
