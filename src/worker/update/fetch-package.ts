import { errorCode } from "../backend.ts";
import type { ProxyChoice } from "../outgoing-proxy.ts";
import { readAtMost } from "../read-at-most.ts";
import { packageUrl } from "./update-plan.ts";

/** Larger than any version of the package will be. */
const MAX_PACKAGE_BYTES = 128 * 1024 * 1024;
const HEAD_TIMEOUT_MS = 30_000;
/** Enough for a slow line. */
const WHOLE_TIMEOUT_MS = 10 * 60_000;

/** Throws an `Error` that says so if the server does not hand out this version. */
export async function assertHandedOut(server: string, version: string, proxyFor: ProxyChoice): Promise<void> {
  const response = await get(server, version, proxyFor, "HEAD", HEAD_TIMEOUT_MS);
  await response.body?.cancel();
}

/** Fetches the package of a version from a server. Throws an `Error` that says what is wrong. */
export async function fetchPackage(server: string, version: string, proxyFor: ProxyChoice): Promise<Uint8Array> {
  const response = await get(server, version, proxyFor, "GET", WHOLE_TIMEOUT_MS);
  const { bytes, isWhole } = await readAtMost(response.body, MAX_PACKAGE_BYTES);
  if (!isWhole) throw new Error("the server's package is too large");
  return bytes;
}

async function get(
  server: string,
  version: string,
  proxyFor: ProxyChoice,
  method: string,
  timeoutMs: number,
): Promise<Response> {
  const url = packageUrl(server, version);
  let response: Response;
  try {
    // Another place has not been trusted.
    response = await fetch(url, {
      method,
      redirect: "error",
      proxy: proxyFor(url),
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    throw new Error(`the server's package cannot be fetched: ${errorCode(error)}`);
  }
  if (response.status === 200) return response;
  await response.body?.cancel();
  if (response.status === 404)
    throw new Error("the server hands out no worker of its version: it is older than that, or a proxy hides /join");
  throw new Error(`the server answers ${response.status} at ${new URL(url).pathname}`);
}
