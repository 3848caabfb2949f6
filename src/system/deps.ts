import type { KeyMask } from "./key-mask.ts";

/** The ports that the whole server shares. Real ones are built in a `main.ts`; tests bring their own. */
export interface Deps {
  readonly clock: Clock;
  readonly log: Log;
  readonly ids: Ids;
  /** Takes keys out of what is written down. The server tells it which keys it has; absent, it makes one. */
  readonly mask?: KeyMask | undefined;
}

export interface Clock {
  /** Wall time in milliseconds since 1970: for people and protocols, never for measuring. */
  now(): number;
  /** Milliseconds that only go forward: for durations and deadlines. */
  elapsed(): number;
  /** Runs `callback` once after `ms`; the returned function cancels it and may be called at any time. */
  after(ms: number, callback: () => void): CancelTimer;
  /** Runs `callback` every `ms` until cancelled. */
  every(ms: number, callback: () => void): CancelTimer;
}

export type CancelTimer = () => void;

/** Values a log line may carry: identifiers, numbers and reasons, never prompts, keys or headers. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  with(fields: LogFields): Log;
}

export interface Ids {
  /** A request id: 26 URL-safe characters, unique in practice. */
  request(): string;
  /** 128 random bits, URL-safe: for ids that must not be guessed. */
  secret(): string;
}
