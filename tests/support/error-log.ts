import type { Log, LogFields } from "../../src/system/deps.ts";

/** A log that keeps only the lines of level error. */
export class ErrorLog implements Log {
  readonly lines: (readonly [event: string, fields: LogFields | undefined])[] = [];

  debug(): void {}

  info(): void {}

  warn(): void {}

  error(event: string, fields?: LogFields): void {
    this.lines.push([event, fields]);
  }

  with(): Log {
    return this;
  }
}
