/** Resolves after a turn of the event loop: promises that were ready have been handled, and sockets were written to. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
