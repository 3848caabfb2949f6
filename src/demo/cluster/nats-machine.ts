import { NatsServer } from "../nats/nats-server.ts";
import type { Machine, MachineState } from "./machine.ts";

/** The nats-server of the demo. It keeps its port and its data while it is down. */
export class NatsMachine implements Machine {
  readonly name = "nats";
  readonly #program: string;
  readonly #directory: string;
  #server: NatsServer | undefined;
  #state: MachineState = "down";
  #port = -1;

  /** `program` is the nats-server to run, and `directory` keeps its data. */
  constructor(program: string, directory: string) {
    this.#program = program;
    this.#directory = directory;
  }

  get state(): MachineState {
    return this.#state;
  }

  /** The address with user and password. It stays the same from the first start on. */
  get url(): string {
    return this.#server?.url ?? "";
  }

  async start(): Promise<void> {
    this.#state = "starting";
    const server = await NatsServer.start({ program: this.#program, port: this.#port, directory: this.#directory });
    this.#server = server;
    this.#port = server.port;
    this.#state = "up";
    void server.exited.then(() => {
      if (this.#server === server) this.#state = "down";
    });
  }

  async stop(): Promise<void> {
    this.#state = "stopping";
    await this.#server?.stop();
  }

  async kill(): Promise<void> {
    this.#server?.signal("SIGKILL");
    await this.#server?.exited;
  }

  freeze(): void {
    this.#server?.signal("SIGSTOP");
    this.#state = "frozen";
  }

  thaw(): void {
    this.#server?.signal("SIGCONT");
    this.#state = "up";
  }
}
