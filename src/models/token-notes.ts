// Explanations of figures that several tables show when the pointer rests on them.

/** What the rate of output tokens counts. */
export const TOKENS_NOTE =
  "Output tokens over the last minute; those of running streams are estimated, and corrected when the stream ends";

/** What a worker's measured speed is. */
export const SPEED_NOTE =
  "per second of one request, measured from five on: input until the first byte without what came from a cache, and output";
