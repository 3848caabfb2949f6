import type { Target } from "./load.ts";

/** A curl that runs longer than this is stuck. */
const LONGEST_SECONDS = "120";

/** The start of a command line that fails, with a message, unless the response is a success. */
export function curl({ url, key }: Target): string[] {
  const authorization = key ? ["-H", `Authorization: Bearer ${key}`] : [];
  return ["curl", "-sS", "--fail", "--max-time", LONGEST_SECONDS, ...authorization, url];
}
