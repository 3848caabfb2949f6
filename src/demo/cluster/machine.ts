/** The state of a process of the demo, as its terminal shows it. */
export type MachineState = "starting" | "up" | "frozen" | "stopping" | "down";

/** A server or a nats-server, as the terminal of the demo orders it about. */
export interface Machine {
  readonly name: string;
  readonly state: MachineState;
  /** Starts the process, on the port that it had before; resolves when it serves. */
  start(): Promise<void>;
  /** Ends it in order (SIGTERM); resolves when it has gone. */
  stop(): Promise<void>;
  /** Ends it at once (SIGKILL); resolves when it has gone. */
  kill(): Promise<void>;
  /** Halts it without closing its connections (SIGSTOP). */
  freeze(): void;
  /** Lets a frozen process run on (SIGCONT). */
  thaw(): void;
}
