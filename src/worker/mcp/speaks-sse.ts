import type { Endpoint } from "./endpoint.ts";

/** How long to wait for the first event: a server of the older transport sends it at once. */
const TIMEOUT_MS = 5000;
/** The most bytes to read: the event is the first one, and short. */
const MAX_BYTES = 64 * 1024;

/**
 * Finds out whether the server at the endpoint speaks HTTP with SSE: it answers a GET with a stream whose first event is
 * `endpoint`. Undefined when there was no conclusive answer within 5 s, since the server may be starting.
 */
export async function speaksSse(endpoint: Endpoint): Promise<boolean | undefined> {
  const head = { method: "GET", path: "/", headers: [["accept", "text/event-stream"]] as const };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await endpoint.call({
      head,
      query: "",
      key: undefined,
      body: undefined,
      signal,
      isRepeatable: true,
    });
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
    if (!response.ok || !isStream || !response.body) {
      await response.body?.cancel();
      // A gateway's error about a server that is not up yet says nothing about the server.
      return response.status >= 500 ? undefined : false;
    }
    return await beginsWithEndpoint(response.body);
  } catch {
    return undefined; // Not reachable, or silent.
  }
}

async function beginsWithEndpoint(body: ReadableStream<Uint8Array>): Promise<boolean> {
  const decoder = new TextDecoder();
  let said = "";
  // Leaving the loop closes the connection.
  for await (const chunk of body) {
    said += decoder.decode(chunk, { stream: true });
    const end = said.search(/\r?\n\r?\n/);
    if (end >= 0) return /^event: ?endpoint\r?$/m.test(said.slice(0, end));
    if (said.length > MAX_BYTES) return false;
  }
  return false;
}
