import type { AppCluster } from "../../src/app/app-parts.ts";
import type { App } from "../../src/app/contract.ts";
import { createApp } from "../../src/app.ts";
import type { IdentityProvider } from "../../src/auth/identity-provider.ts";
import { configuredKeys, type KeySources } from "../../src/auth/keys.ts";
import type { Pack } from "../../src/join/package.ts";
import type { OpenedKeys } from "../../src/keys/open-keys.ts";
import { type Listening, listen } from "../../src/listen.ts";
import { openIssuer } from "../../src/oidc/issuer.ts";
import type { PluginDefinition } from "../../src/plugin/definition.ts";
import { KNOWN_PLUGINS } from "../../src/plugins.ts";
import { systemClock } from "../../src/system/clock.ts";
import type { Deps } from "../../src/system/deps.ts";
import { systemIds } from "../../src/system/ids.ts";
import { silentLog } from "../../src/system/log.ts";
import { type Config, defaultConfig } from "./default-config.ts";
import { NativeWorker } from "./native-worker.ts";

export const API_KEY = "test-api-key";
export const CLIENT_KEY = "test-client-key";

/** A whole server on a free port of the loopback, with keys set and short waits. */
export class TestServer {
  readonly app: App;
  readonly config: Config;
  readonly listening: Listening;
  readonly url: string;

  /** `keys` replaces the keys that the configuration lists, and `opened` are those beside them. The server closes `cluster`, and hands out what `pack` makes. */
  constructor(
    overrides: Partial<Config> = {},
    deps: Partial<Deps> = {},
    known: readonly PluginDefinition[] = KNOWN_PLUGINS,
    keys: (config: Config) => KeySources = configuredKeys,
    cluster?: AppCluster,
    opened?: OpenedKeys,
    pack?: Pack,
  ) {
    this.config = defaultConfig(
      {
        port: 0,
        host: "127.0.0.1",
        apiKeys: [API_KEY],
        clientKeys: [CLIENT_KEY],
        plugins: ["llm"],
        startGraceMs: 0,
        ...overrides,
      },
      known,
    );
    const systemDeps = { clock: systemClock, ids: systemIds, log: silentLog };
    const all = { ...systemDeps, ...deps };
    const identity = this.config.oidcIssuer === undefined ? undefined : issuerOf(this.config, all);
    this.app = createApp(this.config, all, {
      known,
      configuredKeys: keys(this.config),
      cluster,
      keys: opened,
      identity,
      pack,
    });
    this.listening = listen(this.app, this.config);
    this.url = this.listening.url;
  }

  /** Sends a request with the API key. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${API_KEY}`);
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  post(path: string, json: unknown, init: RequestInit = {}): Promise<Response> {
    return this.fetch(path, {
      method: "POST",
      body: JSON.stringify(json),
      ...init,
      headers: { "content-type": "application/json", ...init.headers },
    });
  }

  chat(model: string, more: object = {}, init: RequestInit = {}): Promise<Response> {
    return this.post("/v1/chat/completions", { model, messages: [{ role: "user", content: "hello" }], ...more }, init);
  }

  worker(register: object = {}): Promise<NativeWorker> {
    return NativeWorker.connect({
      url: this.url,
      register: { client_key: CLIENT_KEY, models: ["m"], max_concurrency: 1, ...register },
    });
  }

  /** Returns the llm plugin's part of the state. */
  state(): Promise<PoolState> {
    return this.#stateOf("llm");
  }

  /** Returns the asr plugin's part of the state. */
  asrState(): Promise<PoolState> {
    return this.#stateOf("asr");
  }

  async #stateOf(plugin: string): Promise<PoolState> {
    const response = await this.fetch("/api/state");
    const envelope = (await response.json()) as { plugins: Record<string, PoolState> }; // the State API's own tests check this shape
    const state = envelope.plugins[plugin];
    if (!state) throw new Error(`the state has no ${plugin}`);
    return state;
  }

  async stop(): Promise<void> {
    this.app.close();
    await this.listening.stop();
  }
}

/** Opens the issuer that a configuration names, as the process does. */
function issuerOf(config: Config, deps: Deps): IdentityProvider {
  const { oidcIssuer: issuer = "", oidcClientId: clientId = "", oidcClientSecret: clientSecret } = config;
  const claims = [config.oidcAdminClaims, config.oidcViewerClaims, config.oidcCallerClaims]
    .flat()
    .map(({ claim }) => claim);
  return openIssuer({ issuer, clientId, clientSecret, claims }, deps);
}

/** The state of a plugin whose workers serve models. */
export interface PoolState {
  readonly server: Readonly<Record<string, string | number>>;
  readonly workers: readonly (Readonly<Record<string, unknown>> & {
    readonly id: string;
    readonly inflight: number;
    readonly models: readonly string[];
  })[];
  readonly models: readonly { readonly name: string; readonly workers: number }[];
  readonly jobs: readonly { readonly status: "waiting" | "running" | "streaming" }[];
}
