// Errors of the server and the network, as the page shows them.

/** An error that the server or the network has reported. */
export class Refusal extends Error {
  readonly code: string;
  /** The field of the request that is wrong, where the server names one. */
  readonly param: string | undefined;
  /** The HTTP status; 0 for an error without one. */
  readonly status: number;

  constructor(message: string, code: string, param?: string, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
    this.param = param;
  }
}

/** Returns a successful response; throws a `Refusal` for any other. */
export async function assertOk(response: Response): Promise<Response> {
  if (response.ok) return response;
  throw refusalOf(await response.text(), response.status);
}

/** Reads the error of a body in the API's form or in JSON-RPC's. A body without one becomes an error with the status. */
export function refusalOf(body: string, status: number): Refusal {
  try {
    const { error } = JSON.parse(body) as {
      error?: { message?: string; code?: string | number; param?: string | null };
    }; // checked below
    if (typeof error?.message === "string")
      return new Refusal(error.message, String(error.code ?? status), error.param ?? undefined, status);
  } catch {
    // Not JSON, such as a proxy's error page.
  }
  return new Refusal(`The server responded with ${status}.`, String(status), undefined, status);
}

/** Describes an error for the viewer; empty for a request that the viewer stopped. */
export function messageOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "AbortError") return "";
  if (error instanceof Refusal) return error.message;
  if (error instanceof TypeError) return "The server could not be reached, or its response broke off.";
  return error instanceof Error ? error.message : String(error);
}
