/** The state of a process of the demo, as its terminal shows it. */
export type MachineState = "starting" | "up" | "frozen" | "stopping" | "down";

/** A server or a nats-server, as the terminal of the demo controls it. */
export interface Machine {
  readonly name: string;
  readonly state: MachineState;
  /** Starts the process, on the port that it had before; resolves when it serves. */
  start(): Promise<void>;
  /** Stops the process in order (SIGTERM); resolves when it has ended. The process must not be down already. */
  stop(): Promise<void>;
  /** Kills the process (SIGKILL); resolves when it has ended. */
  kill(): Promise<void>;
  /** Freezes the process without closing its connections (SIGSTOP). */
  freeze(): void;
  /** Lets a frozen process continue (SIGCONT). */
  thaw(): void;
}
