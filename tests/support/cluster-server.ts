import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { ProgramRun } from "./program-run.ts";
import { API_KEY, type PoolState } from "./test-server.ts";

const ROOT = join(import.meta.dir, "../..");

/** Settings by their variables; undefined leaves one out. */
export type Env = Readonly<Record<string, string | undefined>>;

/** The parts of a server's state that tests read. */
interface State {
  readonly server: { readonly problems: readonly { readonly code: string }[] };
  readonly cluster?: { readonly servers: readonly { readonly id: string; readonly state: string }[] };
  readonly plugins: Readonly<Record<string, PoolState>>;
}

/** A server of a cluster, in a process of its own (`bun src/main.ts`). It keeps its id and its port while it is down. */
export class ClusterServer {
  readonly id: string;
  readonly #env: Env;
  readonly #command: readonly string[];
  #run: ProgramRun | undefined;
  #port = 0;

  constructor(id: string, env: Env, preload?: string) {
    this.id = id;
    this.#command = [process.execPath, ...(preload === undefined ? [] : ["--preload", preload]), "src/main.ts"];
    this.#env = { PATH: process.env["PATH"] ?? "", SERVER_ID: id, ...env };
  }

  /** Starts it; resolves when it listens. `more` replaces settings for this start. */
  async start(more: Env = {}): Promise<void> {
    const env = Object.entries({ ...this.#env, PORT: String(this.#port), ...more });
    const given = env.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
    const run = new ProgramRun(this.#command, Object.fromEntries(given), ROOT);
    this.#run = run;
    const started = await Promise.race([urlOf(run), run.exited]);
    if (typeof started === "number") throw new Error(`${this.id} ended with ${started}: ${await run.output}`);
    this.#port = Number(new URL(started).port);
  }

  /** The process. Throws before the first start. */
  get run(): ProgramRun {
    if (!this.#run) throw new Error(`${this.id} was never started`);
    return this.#run;
  }

  /** Takes the lines that its log has had since the last one that was taken. */
  async log(): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const lines = [];
    while (this.run.lines.waiting > 0) lines.push(await this.run.lines.take());
    return lines;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Ends it at once (`kill -9`); resolves when it has gone. */
  async kill(): Promise<void> {
    this.run.kill();
    await this.run.exited;
  }

  /** Halts it without closing its connections (SIGSTOP). */
  freeze(): void {
    this.run.signal("SIGSTOP");
  }

  thaw(): void {
    this.run.signal("SIGCONT");
  }

  /** Ends it in order (SIGTERM); resolves to its exit code. */
  stop(): Promise<number> {
    this.run.signal("SIGCONT");
    return this.run.stop();
  }

  /** The key that opens its state and its actions. */
  get operatorKey(): string {
    return this.#env["ADMIN_KEY"] || API_KEY;
  }

  /** Sends a request with the API key. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${API_KEY}`);
    return fetch(`${this.url}${path}`, { ...init, headers });
  }

  post(path: string, json: unknown, init: RequestInit = {}): Promise<Response> {
    const headers = { "content-type": "application/json", ...init.headers };
    return this.fetch(path, { method: "POST", body: JSON.stringify(json), ...init, headers });
  }

  chat(model: string, more: object = {}, init: RequestInit = {}): Promise<Response> {
    return this.post("/v1/chat/completions", { model, messages: [{ role: "user", content: "hello" }], ...more }, init);
  }

  /** The names in its list of models. */
  async models(): Promise<readonly string[]> {
    const { data } = (await (await this.fetch("/v1/models")).json()) as { data: readonly { id: string }[] }; // its own tests check this shape
    return data.map(({ id }) => id);
  }

  /** What a plugin whose workers serve models says of itself. */
  async pool(plugin = "llm"): Promise<PoolState> {
    const pool = (await this.#state()).plugins[plugin];
    if (!pool) throw new Error(`the state of ${this.id} has no ${plugin}`);
    return pool;
  }

  /** The other servers that it knows, and what it takes them for. */
  async peers(): Promise<ReadonlyMap<string, string>> {
    const { cluster } = await this.#state();
    return new Map((cluster?.servers ?? []).map(({ id, state }) => [id, state]));
  }

  /** The codes of the problems that it reports. */
  async problems(): Promise<readonly string[]> {
    return (await this.#state()).server.problems.map(({ code }) => code);
  }

  /** The value of one of its metrics; `series` has all labels, as the metrics are written. */
  async metric(series: string): Promise<number> {
    const text = await (await this.fetch("/metrics")).text();
    const line = text.split("\n").find((each) => each.startsWith(`${series} `));
    if (line === undefined) throw new Error(`${this.id} has no metric ${series}`);
    return Number(line.slice(series.length));
  }

  /** Resolves when so many jobs wait at it. */
  async waiting(count: number): Promise<void> {
    const isSo = async (): Promise<boolean> => (await this.pool()).server["scheduler_queue_len"] === count;
    await eventually(isSo, `${count} jobs wait at ${this.id}`, 10_000);
  }

  async #state(): Promise<State> {
    const headers = { authorization: `Bearer ${this.operatorKey}` };
    return (await (await this.fetch("/api/state", { headers })).json()) as State; // the State API's own tests check this shape
  }
}

/** Waits longer than most tests: several servers start at once, and each waits for NATS for a moment. */
async function urlOf(run: ProgramRun): Promise<string> {
  for (;;) {
    const { event, url } = await run.lines.take("server.started", 20_000);
    if (event === "server.started") return String(url);
  }
}
