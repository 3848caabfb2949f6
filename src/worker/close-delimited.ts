import { JsonEnd } from "../json/json-end.ts";
import type { ByteReader } from "../wire/byte-reader.ts";
import { LastEvent } from "../wire/last-event.ts";
import { isEventStreamType } from "../wire/response-progress.ts";

/** The routes whose event streams end with a certain event in every implementation. */
const ENDS_WITH_AN_EVENT: ReadonlySet<string> = new Set([
  "/chat/completions",
  "/completions",
  "/responses",
  "/messages",
]);

/** The error of a body that ended before it was complete. Its message says where it ended. */
export class UnfinishedBody extends Error {
  override readonly name = "UnfinishedBody";
}

/** Follows a body, and says at its end what is missing; undefined if nothing is known to be. */
interface EndCheck {
  push(bytes: Uint8Array): void;
  missing(): string | undefined;
}

/**
 * Returns a fetched response's body, which fails where it ends too early. With neither a length nor chunks, the end of the
 * body is the end of the connection, and Bun's `fetch` reports a connection that broke in the same way as one that was
 * closed in order: a model server that is killed would look as if it had finished. So such a body is judged by its contents:
 * an event stream must not end inside a line and, on the routes of OpenAI's and Anthropic's text APIs, must have said its
 * last event; JSON must have closed what it opened. Other bodies of this kind cannot be judged.
 *
 * `path` is the route that was called, with its query.
 */
export function bodyToItsEnd({ headers, body }: Response, path: string): ReadableStream<Uint8Array> | null {
  if (body === null || headers.has("content-length") || headers.has("transfer-encoding")) return body;
  const check = checkFor(headers, path);
  return check ? checked(body, check) : body;
}

function checkFor(headers: Response["headers"], path: string): EndCheck | undefined {
  if ((headers.get("content-encoding") ?? "identity") !== "identity") return undefined;
  const type = headers.get("content-type") ?? "";
  if (isEventStreamType(type)) return checkEvents(ENDS_WITH_AN_EVENT.has(path.replace(/\?.*$/s, "")));
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type) ? checkJson() : undefined;
}

function checkEvents(mustSayTheLast: boolean): EndCheck {
  const last = new LastEvent();
  return {
    push: (bytes) => last.push(bytes),
    missing() {
      if (last.isTerminal) return undefined;
      if (last.isInsideLine) return "the model server's event stream ended inside an event";
      return mustSayTheLast ? "the model server's event stream ended without its last event" : undefined;
    },
  };
}

function checkJson(): EndCheck {
  const json = new JsonEnd();
  return {
    push: (bytes) => json.push(bytes),
    missing: () => (json.mayEnd ? undefined : "the model server's JSON ended before it was complete"),
  };
}

function checked(body: ReadableStream<Uint8Array>, check: EndCheck): ReadableStream<Uint8Array> {
  const reader: ByteReader = body.getReader();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (!done && value !== undefined) {
          check.push(value);
          return controller.enqueue(value);
        }
        const missing = check.missing();
        if (missing === undefined) controller.close();
        else controller.error(new UnfinishedBody(missing));
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
