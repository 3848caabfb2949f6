/**
 * The states of a channel, as plain values. The functions are pure and have no clock. `R` and `W` are the types of the two
 * sides. A waiting channel and a joined one have different types, so that a missing side cannot be used.
 */
export type Channel<R, W> =
  /** Neither side is there, or one that left has made room again. */
  | { readonly kind: "open" }
  | { readonly kind: "reader_waits"; readonly reader: R }
  | { readonly kind: "writer_waits"; readonly writer: W }
  | Joined<R, W>
  | Gone;

/** Both sides are there, and stay together to the end. */
export interface Joined<R, W> {
  readonly kind: "joined";
  readonly reader: R;
  readonly writer: W;
}

/** A channel that has ended, as it is remembered. */
export interface Gone {
  readonly kind: "used" | "expired";
}

/** The reason for which a side cannot have its place. */
export type Refusal = "in_use" | "expired";

export const OPEN: Channel<never, never> = { kind: "open" };

/** Returns the channel with this reader, or the reason why it accepts none. */
export function withReader<R, W>(channel: Channel<R, W>, reader: R): Channel<R, W> | Refusal {
  switch (channel.kind) {
    case "open":
      return { kind: "reader_waits", reader };
    case "writer_waits":
      return { kind: "joined", reader, writer: channel.writer };
    case "reader_waits":
    case "joined":
    case "used":
      return "in_use";
    case "expired":
      return "expired";
    default:
      return channel satisfies never;
  }
}

/** Returns the channel with this writer, or the reason why it accepts none. */
export function withWriter<R, W>(channel: Channel<R, W>, writer: W): Channel<R, W> | Refusal {
  switch (channel.kind) {
    case "open":
      return { kind: "writer_waits", writer };
    case "reader_waits":
      return { kind: "joined", reader: channel.reader, writer };
    case "writer_waits":
    case "joined":
    case "used":
      return "in_use";
    case "expired":
      return "expired";
    default:
      return channel satisfies never;
  }
}

/** Returns the channel after a waiting side has left, whose place is then free. A side that is not waiting changes nothing. */
export function without<R, W>(channel: Channel<R, W>, side: R | W): Channel<R, W> {
  const isWaiting =
    (channel.kind === "reader_waits" && channel.reader === side) ||
    (channel.kind === "writer_waits" && channel.writer === side);
  return isWaiting ? OPEN : channel;
}
