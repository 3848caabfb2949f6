import type { ControlMessage } from "../../wire/worker-messages.ts";

/** The health of the MCP server behind a relay, as far as the relay has seen, and what the public server was told of it. */
export class UpstreamHealth {
  #onChange: () => void;
  /** Why the MCP server does not work; undefined while no failure is known. */
  #reason: string | undefined;
  #told: string | undefined;
  #failures = 0;

  /** `onChange` is called when the public server has to be told something new. */
  constructor(onChange: () => void = () => {}) {
    this.#onChange = onChange;
  }

  /** Replaces what is called when the public server has to be told something new. */
  tell(onChange: () => void): void {
    this.#onChange = onChange;
  }

  get isBroken(): boolean {
    return this.#reason !== undefined;
  }

  /** Notes a sign that the MCP server works. */
  works(): void {
    this.#failures = 0;
    if (this.#reason !== undefined) this.#set(undefined);
  }

  /** Notes a failure. The MCP server counts as broken after `enough` failures in a row. */
  failed(reason: string, enough = 1): void {
    this.#failures += 1;
    if (this.#failures >= enough && this.#reason !== reason) this.#set(reason);
  }

  /** Called for a new link, on which the public server assumes that the MCP server works. */
  begin(): void {
    this.#told = undefined;
  }

  /** Makes the message about what has changed since the last one; undefined for nothing. */
  update(): ControlMessage | undefined {
    if (this.#told === this.#reason) return undefined;
    this.#told = this.#reason;
    return this.#reason === undefined
      ? { type: "status_update", status: "idle" }
      : { type: "status_update", status: "not_ready", reason: this.#reason };
  }

  #set(reason: string | undefined): void {
    this.#reason = reason;
    this.#onChange();
  }
}
