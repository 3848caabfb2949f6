import { cpSync, rmSync } from "node:fs";
import { NatsServer } from "../../src/demo/nats/nats-server.ts";
import { foundNatsServer } from "./found-nats-server.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

type Directory = ReturnType<typeof temporaryDirectory>;

export interface TestNatsOptions {
  /** The text of a configuration file, instead of a user with a password and JetStream. */
  readonly config?: string;
  /** Environment variables that the configuration names, beside `NATS_STORE`, the directory for data. */
  readonly env?: Readonly<Record<string, string>>;
  /** Listens on this port, so that a server which was killed comes back where its clients look for it. */
  readonly port?: number;
}

/** A real nats-server on the loopback, for tests that kill, freeze and restart it. */
export class TestNats {
  readonly #directory: Directory;
  readonly #options: TestNatsOptions;
  #server: NatsServer;

  private constructor(server: NatsServer, directory: Directory, options: TestNatsOptions) {
    this.#server = server;
    this.#directory = directory;
    this.#options = options;
  }

  /** Resolves when it accepts connections. */
  static async start(options: TestNatsOptions = {}): Promise<TestNats> {
    const directory = temporaryDirectory();
    try {
      return new TestNats(await launch(directory.path, options), directory, options);
    } catch (error) {
      directory.remove();
      throw error;
    }
  }

  /** The address with user and password. */
  get url(): string {
    return this.#server.url;
  }

  get port(): number {
    return this.#server.port;
  }

  get pid(): number {
    return this.#server.pid;
  }

  /** Kills the process (`kill -9`); resolves when it has gone. */
  async kill(): Promise<void> {
    this.#server.signal("SIGKILL");
    await this.#server.exited;
  }

  /** Stops the process from running (SIGSTOP) without closing its connections. */
  freeze(): void {
    this.#server.signal("SIGSTOP");
  }

  /** Lets a frozen process run on. */
  thaw(): void {
    this.#server.signal("SIGCONT");
  }

  /** Starts it again on the same port and with the same data, after ending it if it still runs. */
  async restart(): Promise<void> {
    const { port } = this.#server;
    await this.#server.stop();
    this.#server = await launch(this.#directory.path, { ...this.#options, port });
  }

  /** Copies its data to another directory. The process MUST have ended. */
  backUp(to: string): void {
    cpSync(this.#directory.path, to, { recursive: true });
  }

  /** Puts such a copy in the place of its data. The process MUST have ended. */
  restore(from: string): void {
    rmSync(this.#directory.path, { recursive: true });
    cpSync(from, this.#directory.path, { recursive: true });
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    this.#directory.remove();
  }
}

function launch(directory: string, { env, ...options }: TestNatsOptions): Promise<NatsServer> {
  const server = foundNatsServer();
  if (server.kind === "missing") throw new Error(`there is no nats-server: ${server.tried.join("; ")}`);
  return NatsServer.start({ program: server.path, directory, env: { NATS_STORE: directory, ...env }, ...options });
}
