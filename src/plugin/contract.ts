import type { AnyElysia } from "elysia";
import type { Auth } from "../auth/auth.ts";
import type { Caller } from "../auth/caller.ts";
import type { SecretFor } from "../auth/secrets.ts";
import type { Config } from "../config.ts";
import type { Fault } from "../errors.ts";
import type { Metrics } from "../figures/metrics.ts";
import type { Listener } from "../http/listener.ts";
import type { ConnectorRelays } from "../oauth/connector.ts";
import type { Charges } from "../pool/charge.ts";
import type { Table, Values } from "../settings/setting.ts";
import type { Deps } from "../system/deps.ts";
import type { SessionSource } from "../tunnel/session-source.ts";
import type { SpoolSpace } from "../upload/spool-space.ts";
import type { ClusterPorts } from "./cluster.ts";
import type { Details } from "./details.ts";
import type { EndedCalls } from "./ended-calls.ts";
import type { EndedRequests } from "./ended-requests.ts";
import type { JobOperator, WorkerOperator } from "./operator.ts";
import type { PeerReadings } from "./peer-readings.ts";
import type { Reports } from "./reports.ts";
import type { RestrictionRecords } from "./restrictions.ts";

/** The settings of a plugin that has none of its own. */
export type NoSettings = Readonly<Record<never, never>>;

/** The parts that the server gives each plugin. Only the id and the settings belong to one plugin. */
export interface PluginContext<S extends Table = NoSettings> {
  /** The plugin's own id. */
  readonly id: string;
  /** The server's configuration, with the plugin's own settings. */
  readonly config: Config & Values<S>;
  readonly deps: Deps;
  readonly auth: Auth;
  readonly metrics: Metrics;
  readonly listener: Listener;
  /** Supplies the sessions of the plugin's workers. */
  readonly sessions: SessionSource;
  /** Returns the records of a plugin's drained and blocked worker ids; undefined where nothing survives a restart. */
  readonly restrictionRecords?: ((pluginId: string) => RestrictionRecords) | undefined;
  /** Returns a secret for one use, which all servers of a cluster have in common. */
  readonly secretFor: SecretFor;
  /** Takes note of the requests that have ended; undefined where nobody counts them. */
  readonly endedRequests?: EndedRequests | undefined;
  /** Takes note of the calls of MCP servers that have ended; undefined where they are not kept. */
  readonly endedCalls?: EndedCalls | undefined;
  /** Opens what requests take from the limits of their keys; undefined where no key has limits. */
  readonly charges?: Charges | undefined;
  /** The other servers of the cluster; undefined for a server without one. */
  readonly cluster?: ClusterPorts | undefined;
  /** Reads what the other servers keep; undefined for a server without a cluster. */
  readonly readings?: PeerReadings | undefined;
  /** Returns the made keys of clients that are valid now; absent for a server without such keys. */
  readonly keyHolders?: (() => readonly KeyHolder[]) | undefined;
  readonly version: string;
  /** Returns the disk space that uploads of all plugins share. */
  readonly spoolSpace: () => SpoolSpace;
}

/** A made key of a client. */
export interface KeyHolder {
  readonly id: string;
  readonly name: string;
  /** Who calls with it. */
  readonly caller: Caller;
}

/**
 * One area of the product. Core code never mentions a plugin's name: `plugins.ts` alone lists them, and the rest of the
 * server meets them through this value. A plugin has the ports that it takes part in, and leaves the others out.
 */
export interface Plugin {
  readonly id: string;
  /**
   * Routes with their full paths. The instance MUST NOT have a name: Elysia drops the hooks of a second one that looks
   * equal.
   */
  readonly routes: AnyElysia;
  /** The headings under which the API's description puts the routes, in their order. */
  readonly tags?: readonly ApiTag[];
  /** The largest message that the plugin's workers may send, where that is more than the tunnel's frames need. */
  readonly maxMessageBytes?: number;
  /** The plugin's part of the dashboard. */
  readonly section?: Section;
  readonly reports?: Reports;
  /** The models that clients may name. */
  readonly catalog?: ModelCatalog;
  readonly workers?: WorkerOperator;
  readonly jobs?: JobOperator;
  /** Single workers, models and jobs, for operators. */
  readonly details?: Details;
  /** The relays that leave it to this server who may call them. */
  readonly connectors?: ConnectorRelays;
  readonly lifecycle?: Lifecycle;
}

/** A heading of the API's description. */
export interface ApiTag {
  readonly name: string;
  readonly description: string;
}

/** A plugin's part of the dashboard. */
export interface Section {
  /** The name of the plugin's work in people's words: `Language models`. */
  readonly label: string;
  /**
   * The plugin's own page: its id in the dashboard's address, and its name in the navigation. Unless given, these are the
   * plugin's id and `label`, and a plugin whose workers have models has no page of its own.
   */
  readonly page?: { readonly id: string; readonly label: string };
  /**
   * What the pages on the workers, models and jobs of all plugins need to know of this one. They show the lists `workers`,
   * `relays`, `models` and `jobs` of its state.
   */
  readonly workers?: WorkerWords;
  /** The panels that it adds to the playground, as markup like that of `render`. */
  readonly shares?: { readonly playground?: () => string };
  /** Markup whose bindings the page's script fills; what it quotes MUST be escaped. */
  render(): string;
}

/** A plugin's workers in tables that list those of all plugins. */
export interface WorkerWords {
  /** What they are, in a word: `LLM`. */
  readonly kind: string;
  /** Whether they serve models, for which there are jobs. */
  readonly haveModels: boolean;
}

/** The end of a plugin that has work to finish. */
export interface Lifecycle {
  /** Sends workers to the server that takes over, and goes on serving. Absent for a plugin without workers. */
  handOver?(): void;
  /** Resolves when no request waits for a worker. Absent for a plugin without a queue. */
  noneWaits?(): Promise<void>;
  /**
   * Ends the running and waiting requests of each made key for which `judge` returns an error, which their clients get. Absent
   * for a plugin whose requests need no key.
   */
  endRequests?(judge: (keyId: string) => Fault | undefined): void;
  /** Stops taking jobs and workers, tells the workers, and resolves when the last job has ended. */
  drain(): Promise<void>;
  /** Ends the sessions and jobs that are left. */
  close(): void;
}

export interface ModelCatalog {
  /**
   * The entries that the plugin adds to `/v1/models`: the models that workers take jobs for now, from the callers of a tenant or,
   * if that is undefined, from any.
   */
  models(tenant?: string): readonly ModelCard[];
  /** Returns the entry of the model that such a caller's request with this name would be served with now; undefined for none. */
  find(name: string, tenant?: string): ModelCard | undefined;
}

/** One entry of an OpenAI model list. */
export interface ModelCard {
  readonly id: string;
  readonly object: "model";
  /** When the model was first seen, by this server or another one of its cluster, in seconds since 1970. */
  readonly created: number;
  readonly owned_by: string;
  /** What the model is for: `chat`, `embedding`, `rerank`, `transcription`, `speech`, `image` or a backend's own word. */
  readonly type?: string;
  /** Tokens that one request may have, input and output together, and the same under vLLM's name. */
  readonly context_length?: number;
  readonly max_model_len?: number;
  /** Tokens that the model could take, if its worker let it. */
  readonly max_context_length?: number;
  readonly architecture?: {
    readonly input_modalities?: readonly string[];
    readonly output_modalities?: readonly string[];
  };
  readonly status?: { readonly value: string };
}
