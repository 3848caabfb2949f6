import type { AnyElysia } from "elysia";
import type { Auth } from "./auth.ts";
import type { Config } from "./config.ts";
import type { Deps } from "./deps.ts";
import type { Listener } from "./http/listener.ts";
import type { Metrics } from "./metrics.ts";

/** What the server gives each plugin; nothing here belongs to one plugin. */
export interface PluginContext {
  readonly config: Config;
  readonly deps: Deps;
  readonly auth: Auth;
  readonly metrics: Metrics;
  readonly listener: Listener;
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
  /** A plain JSON copy for the State API. */
  state(): object;
  /** Grows whenever `state()` would answer something else (clocks aside), so that viewers are sent changes only. */
  revision(): number;
  /** The server-rendered fragment of the dashboard; left out by a plugin without a view. */
  view?(): string;
  /** What `/v1/models` adds for this plugin. */
  models?(): readonly ModelCard[];
  /** Stops taking jobs and workers, tells the workers, and resolves when the last job has ended. */
  drain(): Promise<void>;
  /** Ends every session and job that is left. */
  close(): void;
}

/** One entry of an OpenAI model list. */
export interface ModelCard {
  readonly id: string;
  readonly object: "model";
  /** Seconds since 1970: when this server first saw the model. */
  readonly created: number;
  readonly owned_by: string;
}
