/** Signals that end a process unless it handles them, although they ask for something else: a reload, or new log files. */
const OTHER_SIGNALS = ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const;

export type OtherSignal = (typeof OTHER_SIGNALS)[number];

/**
 * Keeps the process alive when it gets SIGHUP, SIGUSR1 or SIGUSR2. `onSignal` is called with the name of each. Only
 * SIGTERM, SIGINT and SIGKILL are meant to end these programs.
 */
export function surviveSignals(onSignal: (signal: OtherSignal) => void = () => {}): void {
  for (const signal of OTHER_SIGNALS) process.on(signal, () => onSignal(signal));
}
