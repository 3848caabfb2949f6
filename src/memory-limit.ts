import { totalmem } from "node:os";

/** Bytes that this process may use at most: what its container is given, or else the whole machine has. */
export function memoryLimitBytes(): number {
  // Bun reads the control group's limit on Linux and gives undefined elsewhere; some kernels say 0 or more than there is.
  return Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
}
