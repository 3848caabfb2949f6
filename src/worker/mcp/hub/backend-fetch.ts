import type { Answer, Backend } from "../../../answering/opening.ts";
import { withLineLimit } from "../bridge/line-limit.ts";
import { MAX_MESSAGE_BYTES } from "../bridge/peer.ts";

/** Returns a `fetch` that asks a backend in this process, whatever the URL. Answers are bounded as messages are. */
export function fetchFrom(backend: Backend): (url: string | URL, init?: RequestInit) => Promise<Response> {
  const never = new AbortController().signal;
  return async (_url, init = {}) => {
    const opening = backend.open({
      method: init.method ?? "GET",
      path: "/",
      headers: [...new Headers(init.headers).entries()],
    });
    if (opening.kind === "refuse") throw new Error(opening.message);
    if (opening.kind === "answer") return Response.json(opening.body, { status: opening.status });
    const body = typeof init.body === "string" ? new TextEncoder().encode(init.body) : undefined;
    return toResponse(await opening.ask(body, init.signal ?? never));
  };
}

/** Returns an answer as one that was fetched. */
export function toResponse({ status, headers, body }: Answer): Response {
  const pairs = headers.map(([name, value]): [string, string] => [name, value]);
  // The type asks for a view of plain memory, which a whole body is.
  if (!(body instanceof ReadableStream))
    return new Response(body as Uint8Array<ArrayBuffer> | null, { status, headers: pairs });
  const isEvents = headers.some(
    ([name, value]) => name.toLowerCase() === "content-type" && value.startsWith("text/event-stream"),
  );
  const length = Number(headers.find(([name]) => name.toLowerCase() === "content-length")?.[1] ?? Number.NaN);
  // A body whose length was stated cannot be longer, and most are short.
  if (!isEvents && length <= MAX_MESSAGE_BYTES) return new Response(body, { status, headers: pairs });
  const bounded = isEvents ? withLineLimit(body, MAX_MESSAGE_BYTES) : withByteLimit(body, MAX_MESSAGE_BYTES);
  return new Response(bounded, { status, headers: pairs });
}

function withByteLimit(source: ReadableStream<Uint8Array>, maxBytes: number): ReadableStream<Uint8Array> {
  let bytes = 0;
  return source.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length;
        if (bytes > maxBytes) controller.error(new Error("the answer is too large"));
        else controller.enqueue(chunk);
      },
    }),
  );
}
