import { EXIT_CONFIG } from "../settings/read-settings.ts";

/** The reason why a command cannot do its work. The message says what to do about it. */
export class CommandFault extends Error {
  override readonly name = "CommandFault";
  readonly exitCode: number;

  /** The exit code is that of an invalid command line unless given. */
  constructor(message: string, exitCode: number = EXIT_CONFIG) {
    super(message);
    this.exitCode = exitCode;
  }
}
