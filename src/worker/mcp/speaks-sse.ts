/** A server of the older transport says at once where messages go. */
const TIMEOUT_MS = 5000;
/** The event is the first one, and short. */
const MAX_BYTES = 64 * 1024;

/**
 * Whether the server at the URL speaks HTTP with SSE: a GET is answered with a stream whose first event is `endpoint`.
 * Undefined when it gave no answer to tell by within 5 s: it may be starting.
 */
export async function speaksSse(url: string): Promise<boolean | undefined> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const response = await fetch(url, { headers: { accept: "text/event-stream" }, redirect: "manual", signal });
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
    if (!response.ok || !isStream || !response.body) {
      await response.body?.cancel();
      // A gateway's word about a server that is not up yet says nothing of the server.
      return response.status >= 500 ? undefined : false;
    }
    return await beginsWithEndpoint(response.body);
  } catch {
    return undefined; // Not there, or silent.
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
