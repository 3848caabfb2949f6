/** The outputs of a program. */
export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

/** The exit code of a program whose output pipe was closed by its reader: 128 plus the number of SIGPIPE. */
const EXIT_PIPE_CLOSED = 141;

/**
 * Returns the outputs of this process. If standard output cannot be written, the process ends: silently if its reader has
 * closed it, as in `moorage keys list | head -1`, and with the reason otherwise, because a key that is shown once may be lost.
 */
export function standardStreams(): Streams {
  process.stdout.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT_PIPE_CLOSED);
    process.stderr.write(`Standard output cannot be written (${error.code ?? error.message}).\n`);
    process.exit(1);
  });
  return { out: (text) => process.stdout.write(text), err: (text) => process.stderr.write(text) };
}
