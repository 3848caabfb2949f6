import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface NatsOptions {
  /** The program, as `findNatsServer` found it. */
  readonly program: string;
  /** A free port is used unless one is given. */
  readonly port?: number;
  /** The text of a configuration file; without one, the server has a user with a password and JetStream. */
  readonly config?: string;
  /** A directory for the file of `config` and for JetStream; a temporary one, which `stop` removes, unless it is given. */
  readonly directory?: string;
  /** Environment variables that the configuration names. */
  readonly env?: Readonly<Record<string, string>>;
}

/** The user of servers that are started without a configuration of their own. */
export const NATS_USER = { name: "moorage", password: "loopback-only" } as const;

/** The most bytes of the log that are kept. */
const MAX_LOG = 64 * 1024;
const START_TIMEOUT_MS = 15_000;
const STOP_TIMEOUT_MS = 3000;

/** A nats-server process that listens on the loopback. */
export class NatsServer {
  readonly port: number;
  readonly pid: number;
  readonly exited: Promise<number>;
  readonly #child: Bun.Subprocess;
  readonly #scratch: string | undefined;

  private constructor(child: Bun.Subprocess, port: number, scratch: string | undefined) {
    this.#child = child;
    this.port = port;
    this.pid = child.pid;
    this.exited = child.exited;
    this.#scratch = scratch;
  }

  /** Resolves when the server accepts connections. Rejects with the end of its log if it does not. */
  static async start({ program, port = -1, config, directory, env = {} }: NatsOptions): Promise<NatsServer> {
    const scratch = directory === undefined ? mkdtempSync(join(tmpdir(), "moorage-nats-")) : undefined;
    const home = directory ?? scratch ?? "";
    const file = join(home, "nats.conf");
    writeFileSync(file, config ?? defaultConfig(home), { mode: 0o600 });
    const child = Bun.spawn([program, "--config", file, "--addr", "127.0.0.1", "--port", String(port)], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env },
    });
    try {
      return new NatsServer(child, await portOf(child), scratch);
    } catch (error) {
      child.kill("SIGKILL");
      if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
      throw error;
    }
  }

  /** The address with the credentials of the default configuration. */
  get url(): string {
    return `nats://${NATS_USER.name}:${NATS_USER.password}@127.0.0.1:${this.port}`;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends the process, by force if necessary, and removes its temporary directory. */
  async stop(): Promise<void> {
    // A process that is frozen by SIGSTOP acts on other signals only after this one.
    this.#child.kill("SIGCONT");
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.exited;
    clearTimeout(timer);
    if (this.#scratch !== undefined) rmSync(this.#scratch, { recursive: true, force: true });
  }
}

function defaultConfig(directory: string): string {
  const { name, password } = NATS_USER;
  return `authorization { user: ${name}, password: "${password}" }
jetstream { store_dir: ${JSON.stringify(directory)} }
`;
}

/** Reads the log until it says that the server is ready, and keeps reading so that the server never blocks. */
async function portOf(child: Bun.Subprocess<"ignore", "ignore", "pipe">): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const timer = setTimeout(() => reject(new Error("nats-server did not start in time")), START_TIMEOUT_MS);
  const read = async (): Promise<void> => {
    const decoder = new TextDecoder();
    let log = "";
    for await (const bytes of child.stderr) {
      log = (log + decoder.decode(bytes, { stream: true })).slice(-MAX_LOG);
      const port = /client connections on \S+:(\d+)/.exec(log)?.[1];
      if (port !== undefined && log.includes("Server is ready")) resolve(Number(port));
    }
    reject(new Error(`nats-server ended: ${log.trim().slice(-1000)}`));
  };
  read().catch(reject);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
