import { SdkHttpError } from "@modelcontextprotocol/client";

/** The most characters of a server's own words in an error about it. */
const MAX_REASON_CHARS = 200;

/** Whether the server says that the session is no more (the specification's 404). */
export function isGone(error: unknown): boolean {
  return error instanceof SdkHttpError && error.data?.status === 404;
}

/** Why a server did not answer, in words for the caller. */
export function reasonOf(error: unknown): string {
  if (error instanceof SdkHttpError && error.data?.status !== undefined)
    return `it answered with status ${error.data.status}`;
  return error instanceof Error ? error.message.slice(0, MAX_REASON_CHARS) : "it could not be reached";
}
