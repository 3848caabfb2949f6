import type { AnyElysia } from "elysia";
import type { Auth } from "../auth/auth.ts";
import type { Config } from "../config.ts";
import type { Metrics } from "../figures/metrics.ts";
import type { Listener } from "../http/listener.ts";
import type { Deps } from "../system/deps.ts";
import type { SessionSource } from "../tunnel/session-source.ts";

/** What the server gives each plugin; nothing here belongs to one plugin. */
export interface PluginContext {
  readonly config: Config;
  readonly deps: Deps;
  readonly auth: Auth;
  readonly metrics: Metrics;
  readonly listener: Listener;
  /** Supplies the sessions of the plugin's workers. */
  readonly sessions: SessionSource;
  readonly version: string;
}

/**
 * One area of the product. Core code never mentions a plugin's name: `plugins.ts` alone lists them, and everything
 * else (routes, state, views, models, drain) comes through this value.
 */
export interface Plugin {
  readonly id: string;
  /** Routes with their full paths. An instance without a name: Elysia drops the hooks of a second one that looks equal. */
  readonly routes: AnyElysia;
  /** The largest message its workers may send, where that is more than the tunnel's frames need. */
  readonly maxMessageBytes?: number;
  /** A plain JSON copy for the State API. */
  state(): object;
  /** Grows whenever `state()` would answer something else (clocks aside), so that viewers are sent changes only. */
  revision(): number;
  /** How it is doing: asked once a second, so it must be cheap. Left out by a plugin that has nothing to measure. */
  pulse?(): Pulse;
  /** What is wrong now, in words; asked once a second. What all plugins share is found from their pulses. */
  problems?(): readonly Condition[];
  /** The server-rendered fragment of the dashboard; left out by a plugin without a view. */
  view?(): string;
  /** What an operator can do; left out by a plugin whose peers and work are nobody's to manage. */
  readonly operator?: Operator;
  /** What `/v1/models` adds for this plugin. */
  models?(): readonly ModelCard[];
  /** Stops taking jobs and workers, tells the workers, and resolves when the last job has ended. */
  drain(): Promise<void>;
  /** Ends every session and job that is left. */
  close(): void;
}

/** A plugin's figures: gauges of now, and counters since its start that only grow. */
export interface Pulse {
  /** By status; undefined where nobody dials in. */
  readonly workers: WorkerCounts | undefined;
  readonly slotsUsed: number;
  readonly slotsTotal: number;
  /** Requests that wait for a slot, and how many may; a capacity of 0 says that nothing waits here. */
  readonly waiting: number;
  readonly waitingCapacity: number;
  /** Requests ended, however they did. */
  readonly requests: number;
  /** Of them those that failed, and not by a mistake of the client's. */
  readonly failures: number;
  /** Tokens of answers. */
  readonly tokens: number;
  /** Bytes of answers, those under way included. */
  readonly bytes: number;
}

export interface WorkerCounts {
  readonly idle: number;
  readonly working: number;
  readonly notReady: number;
  readonly draining: number;
}

export type Severity = "critical" | "warning" | "info";

/** Something that is wrong as long as it is reported. */
export interface Condition {
  /** For programs; snake_case, and never changes its meaning. */
  readonly code: string;
  /** Tells conditions of one code apart, such as a model's name. */
  readonly about?: string;
  readonly severity: Severity;
  /** A short sentence for people; may quote what workers call themselves. */
  readonly title: string;
  /** What to do about it. */
  readonly advice: string;
  /** How long it must have lasted before anybody is told; at once unless given. */
  readonly afterMs?: number;
  /** How long it goes on after it was last reported, for what comes and goes; not at all unless given. */
  readonly lingerMs?: number;
}

/** One entry of an OpenAI model list. */
export interface ModelCard {
  readonly id: string;
  readonly object: "model";
  /** Seconds since 1970: when this server first saw the model. */
  readonly created: number;
  readonly owned_by: string;
}

/** What an operator does to a plugin's workers and jobs. Each is false where the plugin has none with that id. */
export interface Operator {
  /** Gives the worker no more jobs, or jobs again. */
  drainWorker(workerId: string, on: boolean): boolean;
  /** Closes its session in a way after which it may come back. */
  disconnectWorker(workerId: string): boolean;
  cancelJob(jobId: string): boolean;
}
