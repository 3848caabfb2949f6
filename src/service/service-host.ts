import type { ServiceMachine } from "./places.ts";

/** What running a program has led to. */
export interface Ran {
  /** 127 if there is no such program. */
  readonly code: number;
  /** What it said, both streams together. */
  readonly text: string;
}

/** The machine on which a service is installed, and the terminal of who installs it. */
export interface ServiceHost {
  readonly machine: ServiceMachine;
  readonly hostname: string;
  /** The directory in which the command was given. */
  readonly directory: string;
  readonly version: string;
  /** The words that start this program as it was started now, for what is printed. */
  readonly launcher: string;
  /** Whether the system that starts services runs. */
  readonly isManaged: () => boolean;
  readonly run: (words: readonly [string, ...string[]]) => Promise<Ran>;
  readonly pause: (ms: number) => Promise<void>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** The program that a service in this directory starts. */
  readonly program: {
    /** The words that will start a worker, before its kinds, once the program was placed. */
    words(directory: string): readonly [string, ...string[]];
    /** Puts it there. Throws a `ProgramFault`. */
    place(directory: string): Promise<void>;
  };
}
