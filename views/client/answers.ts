// The server's answers in the words of the page.

/** An error that the server or the network has reported. */
export class Refusal extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** Returns a successful response; throws a `Refusal` for any other. */
export async function assertOk(response: Response): Promise<Response> {
  if (response.ok) return response;
  throw refusalOf(await response.text(), response.status);
}

/** Reads the error of a body in the API's form or in JSON-RPC's; else it is made of the status. */
export function refusalOf(body: string, status: number): Refusal {
  try {
    const { error } = JSON.parse(body) as { error?: { message?: string; code?: string | number } }; // checked below
    if (typeof error?.message === "string") return new Refusal(error.message, String(error.code ?? status));
  } catch {
    // Not JSON: a proxy's page.
  }
  return new Refusal(`The server responded with ${status}.`, String(status));
}

/** Describes an error for people. Empty for a request that they stopped themselves. */
export function messageOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "AbortError") return "";
  if (error instanceof Refusal) return error.message;
  if (error instanceof TypeError) return "The server could not be reached, or its response broke off.";
  return error instanceof Error ? error.message : String(error);
}
