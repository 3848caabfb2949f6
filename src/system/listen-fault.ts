/** Why a server could not listen, and what to do about it. */
export interface ListenFault {
  readonly reason: string;
  readonly hint?: string;
  /** Whether another program has the port. */
  readonly isTaken: boolean;
}

/** Reads what was thrown when a port was opened. `variable` is the setting that names the port. */
export function listenFault(error: unknown, port: number, variable: string): ListenFault {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const reason = error instanceof Error ? error.message : String(error);
  if (code === "EADDRINUSE")
    return {
      isTaken: true,
      reason: `port ${port} is in use by another program`,
      hint: `stop that program, or choose another port with ${variable}, such as ${variable}=${port < 65_535 ? port + 1 : 8081}`,
    };
  if (code === "EACCES")
    return {
      isTaken: false,
      reason: `this user may not listen on port ${port}`,
      hint: `choose a port of 1024 or more with ${variable}`,
    };
  if (code === "EADDRNOTAVAIL") return { isTaken: false, reason, hint: "HOST is no address of this machine" };
  return { isTaken: false, reason };
}

/** A port could not be opened. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly fault: ListenFault;

  constructor(fault: ListenFault) {
    super(fault.reason);
    this.fault = fault;
  }
}

/** Opens a port. Throws a `ListenError` if that fails. `variable` is the setting that names the port. */
export function opening<T>(port: number, variable: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw new ListenError(listenFault(error, port, variable));
  }
}
