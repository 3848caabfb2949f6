/** Resolves after a turn of the event loop, when settled promises have been handled and sockets written. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
