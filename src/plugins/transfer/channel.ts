/**
 * A channel's life, as one value after the other: pure, and without a clock. `R` and `W` are whatever stands for a side.
 * A waiting channel and a joined one are different types, so that nothing can be asked of a side that is not there.
 */
export type Channel<R, W> =
  /** Nobody is there yet, or again. */
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

/** What is remembered of a channel that carries nothing any more. */
export interface Gone {
  readonly kind: "used" | "expired";
}

/** Why a side cannot have its place. */
export type Refusal = "in_use" | "expired";

export const OPEN: Channel<never, never> = { kind: "open" };

/** The channel with this reader, or why it takes none. */
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

/** The channel with this writer, or why it takes none. */
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

/** The channel after a side that waited has left: its place is free again. A side that does not wait changes nothing. */
export function without<R, W>(channel: Channel<R, W>, side: R | W): Channel<R, W> {
  const isWaiting =
    (channel.kind === "reader_waits" && channel.reader === side) ||
    (channel.kind === "writer_waits" && channel.writer === side);
  return isWaiting ? OPEN : channel;
}
