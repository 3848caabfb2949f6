import { EXIT_CONFIG } from "../settings/read-settings.ts";

/** A reason why a command cannot do what it was asked for, which says what to do. */
export class CommandFault extends Error {
  override readonly name = "CommandFault";
  readonly exitCode: number;

  /** The exit code is that of a command that was called wrongly unless given. */
  constructor(message: string, exitCode: number = EXIT_CONFIG) {
    super(message);
    this.exitCode = exitCode;
  }
}
