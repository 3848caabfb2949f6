/** Who starts a service: the user's own session, or the machine. */
export type Scope = "user" | "system";

/** The systems whose services this program can write. */
export type ServiceSystem = "systemd" | "launchd" | "windows";

/** A setting by its variable, with its text. */
export type Named = readonly [variable: string, value: string];

/** A worker as a service, before it is written in the form of one system. */
export interface ServiceSpec {
  /** The service's name; see `isServiceName`. */
  readonly name: string;
  readonly scope: Scope;
  /** The program and its arguments. Everybody on the machine can see them, so they contain no secret. */
  readonly words: readonly [string, ...string[]];
  /** Where the program is started; undefined: the place that the system has for its state. */
  readonly directory: string | undefined;
  /** The user that it runs as; undefined: the one that installs it, or one of its own. */
  readonly runAs: string | undefined;
  /** Seconds that its running jobs may take after it was told to stop. */
  readonly drainS: number;
  /** Variables that are no settings, such as PATH. They may be secret. */
  readonly environment: readonly Named[];
}

/** A file of a service. */
export interface PlannedFile {
  readonly path: string;
  readonly text: string;
  /** `private`: only its owner may read it, and its values are not shown. */
  readonly access: "private" | "public";
  /** Task Scheduler reads UTF-16 only. */
  readonly encoding?: "utf16le";
}

/** A program to run, with its words. */
export interface Command {
  readonly words: readonly [string, ...string[]];
  /** Whether it may fail: what it ends may not be there. */
  readonly mayFail?: boolean;
  /** Seconds for which it is tried again: what ran before may not have ended yet. */
  readonly retryS?: number;
}

/** What makes a worker a service of one system, and what ends it. */
export interface ServicePlan {
  readonly files: readonly PlannedFile[];
  /** Directories that must be there, readable by their owner only. */
  readonly directories: readonly string[];
  /** Starts the service, and again after each start of the machine or the session. It may run already. */
  readonly start: readonly Command[];
  readonly stop: readonly Command[];
  /** To run once its files are gone. */
  readonly afterRemoval: readonly Command[];
  readonly status: Command;
  /** Fails if the service does not run a moment after its start; undefined where none can tell. */
  readonly check?: Command;
  /** The command line that shows its log. */
  readonly logs: string;
  /** What its owner should know. */
  readonly notes: readonly string[];
}

/** Names that every system takes for a service and a file. */
export function isServiceName(text: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(text) && !text.endsWith(".");
}
