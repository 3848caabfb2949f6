import { join } from "node:path";
import { ProgramRun } from "../support/program-run.ts";

const ROOT = join(import.meta.dir, "../..");
export const API_KEY = "api-key-of-the-tests-with-real-programs";
const CLIENT_KEY = "client-key-of-the-tests-with-real-programs";

/** The real server in its own process, with workers in theirs. */
export class Stack {
  readonly url: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #workers: ProgramRun[] = [];
  #server: ProgramRun;

  private constructor(server: ProgramRun, url: string, env: Readonly<Record<string, string>>) {
    this.#server = server;
    this.#env = env;
    this.url = url;
  }

  static async start(env: Readonly<Record<string, string>> = {}): Promise<Stack> {
    const server = launch({ PORT: "0", ...env });
    return new Stack(server, await server.url(), env);
  }

  get server(): ProgramRun {
    return this.#server;
  }

  /** Stops the server in order, and starts another one in its place. Workers connect to it by themselves. */
  async restart(): Promise<void> {
    await this.#server.stop();
    this.#server = launch({ ...this.#env, PORT: new URL(this.url).port });
    await this.#server.url();
  }

  /** Starts a worker and resolves once it is registered. */
  async worker(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ProgramRun> {
    const worker = new ProgramRun(
      [process.execPath, "src/worker/main.ts", ...args, "--server", this.url],
      { CLIENT_KEY, PATH: process.env["PATH"] ?? "", BUN_CONFIG_MAX_HTTP_REQUESTS: "65336", ...env },
      ROOT,
    );
    this.#workers.push(worker);
    await worker.event("link.opened");
    return worker;
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, { ...init, headers: { authorization: `Bearer ${API_KEY}`, ...init.headers } });
  }

  post(path: string, json: unknown, init: RequestInit = {}): Promise<Response> {
    return this.fetch(path, {
      method: "POST",
      body: JSON.stringify(json),
      ...init,
      headers: { "content-type": "application/json", ...init.headers },
    });
  }

  /** Ends workers first, then the server. */
  async stop(): Promise<void> {
    for (const each of this.#workers.reverse()) await each.stop();
    await this.#server.stop();
  }
}

function launch(env: Readonly<Record<string, string>>): ProgramRun {
  return new ProgramRun(
    [process.execPath, "src/main.ts"],
    { API_KEY, CLIENT_KEY, HOST: "127.0.0.1", START_GRACE: "0s", ...env },
    ROOT,
  );
}
