import { isLoopback } from "../../system/loopback.ts";
import { httpUrl } from "../server-url.ts";

/** The last update, of this process or of the one that it took the place of. */
export interface LastUpdate {
  readonly version: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The least time between two updates, so that servers of different versions do not make a worker change all the time. */
const PAUSE_MS = 10 * 60_000;

/** What a version may look like that becomes part of a URL and a command. */
const VERSION_FORM = /^\d{1,6}\.\d{1,6}\.\d{1,6}(?:[-+.][0-9A-Za-z.+-]{1,40})?$/;

export function isVersion(text: string): boolean {
  return VERSION_FORM.test(text);
}

/** Returns the URL of a version's package at a server. Takes the result of `parseServerUrl`. */
export function packageUrl(server: string, version: string): string {
  return `${httpUrl(server)}/join/moorage-${version}.tgz`;
}

/**
 * Returns why a worker must not start the version of its server; undefined if it may. The server's word becomes a program here, so
 * nobody on the way may have changed it.
 */
export function updateFault(
  target: string,
  server: string,
  {
    last,
    now,
    isUnverified,
  }: { readonly last: LastUpdate | undefined; readonly now: number; readonly isUnverified: boolean },
): string | undefined {
  if (!isVersion(target)) return "the server's version has no usable form";
  const url = new URL(httpUrl(server));
  const isLocal = isLoopback(url.hostname);
  if (url.protocol !== "https:" && !isLocal)
    return "the server is not reached by https, so anybody on the way could change the program: use an https URL as --server";
  if (isUnverified && !isLocal)
    return "certificates are not verified (NODE_TLS_REJECT_UNAUTHORIZED), so anybody on the way could change the program";
  if (last?.version === target)
    return `this worker has tried to become version ${target} before, and is still another one`;
  // A clock that was set back is no reason to wait for ever.
  const sinceMs = last === undefined ? undefined : now - last.at;
  if (sinceMs !== undefined && sinceMs >= 0 && sinceMs < PAUSE_MS)
    return "this worker has changed its version within the last ten minutes";
  return undefined;
}

/** Says how a worker becomes the version of its server, in the form in which it was started. */
export function updateHint(launcher: string, server: string, version: string): string {
  const url = packageUrl(server, version);
  const byItself = "--update (UPDATE=1) does that by itself";
  if (launcher.includes(" run moorage"))
    return `check out version ${version} in the clone, or start it with: npx -y ${url} worker …; ${byItself}`;
  if (launcher.startsWith("bunx")) return `start it with: bunx -p ${url} moorage worker …; ${byItself}`;
  return `start it with: npx -y ${url} worker …; ${byItself}`;
}
