/** The methods of requests that name a tool or a prompt. */
const NAMING: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "completion/complete"]);

/** Serves an MCP endpoint under names without a prefix that the target puts in front of all tools and prompts. */
export function startRenaming(target: string, prefix: string): { readonly url: string; stop(): Promise<void> } {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const headers = new Headers(request.headers);
      // The suite tests that other hosts are refused, which is up to the target.
      const host = headers.get("host");
      if (host?.startsWith("127.0.0.1") || host?.startsWith("localhost")) headers.delete("host");
      headers.delete("content-length");
      const name = headers.get("mcp-name");
      const method = headers.get("mcp-method");
      if (name !== null && method !== null && NAMING.has(method)) headers.set("mcp-name", `${prefix}${name}`);
      const body = request.method === "POST" ? named(await request.text(), prefix) : undefined;
      const response = await fetch(target, {
        method: request.method,
        headers,
        body: body ?? null,
        signal: request.signal,
        timeout: false,
      });
      const answered = new Headers(response.headers);
      answered.delete("content-length");
      const init = { status: response.status, headers: answered };
      return response.body
        ? new Response(response.body.pipeThrough(without(`${prefix}`)), init)
        : new Response(null, init);
    },
  });
  return { url: `http://127.0.0.1:${server.port}/mcp`, stop: () => server.stop(true) };
}

/** Returns a request's text with the prefix in front of its name. */
function named(text: string, prefix: string): string {
  let message: { method?: string; params?: { name?: unknown; ref?: { type?: string; name?: unknown } } };
  try {
    message = JSON.parse(text);
  } catch {
    return text;
  }
  const { method, params } = message ?? {};
  if (method === undefined || !NAMING.has(method) || typeof params !== "object") return text;
  const ref = params.ref?.type === "ref/prompt" ? { ref: { ...params.ref, name: `${prefix}${params.ref.name}` } } : {};
  const name = typeof params.name === "string" ? { name: `${prefix}${params.name}` } : {};
  return JSON.stringify({ ...message, params: { ...params, ...name, ...ref } });
}

/** Takes a text out of a stream, wherever its pieces begin and end. */
function without(text: string): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new TextDecoder();
  const encoder = new TextEncoder();
  let held = "";
  return new TransformStream({
    transform(chunk, controller) {
      const whole = (held + decoder.decode(chunk, { stream: true })).replaceAll(text, "");
      let keep = Math.min(text.length - 1, whole.length);
      while (keep > 0 && !text.startsWith(whole.slice(-keep))) keep -= 1;
      held = keep === 0 ? "" : whole.slice(-keep);
      const passed = keep === 0 ? whole : whole.slice(0, -keep);
      if (passed !== "") controller.enqueue(encoder.encode(passed));
    },
    flush(controller) {
      if (held !== "") controller.enqueue(encoder.encode(held));
    },
  });
}
