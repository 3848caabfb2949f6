import { createHash, timingSafeEqual } from "node:crypto";
import type { Backend, Opening } from "../../answering/opening.ts";
import { bearerIn } from "../../wire/bearer.ts";
import type { RequestHead } from "../../wire/heads.ts";

/** A backend for callers who send this token as a bearer; others get 401. The token itself goes no further. */
export function guarded(backend: Backend, token: string): Backend {
  const wanted = digest(token);
  return {
    open(head) {
      const bearer = bearerOf(head);
      // Digests have one length, so comparing them takes the same time for any input.
      if (bearer !== undefined && timingSafeEqual(digest(bearer), wanted)) return backend.open(head);
      return refusal(bearer);
    },
  };
}

/** The bearer token of a request. */
export function bearerOf({ headers }: RequestHead): string | undefined {
  return bearerIn(headers.find(([name]) => name.toLowerCase() === "authorization")?.[1]);
}

/** The answer to a caller without the right token. */
export function refusal(bearer: string | undefined): Opening {
  const challenge = bearer === undefined ? "Bearer" : 'Bearer error="invalid_token"';
  const message =
    bearer === undefined
      ? "This relay requires its token. Send it as 'Authorization: Bearer YOUR_TOKEN'."
      : "The bearer token is not this relay's token.";
  const data = { mcp: "MCP_UNAUTHORIZED" };
  return {
    kind: "answer",
    status: 401,
    headers: [["www-authenticate", challenge]],
    // The server counts wrong tokens. A missing one is no guess.
    ...(bearer === undefined ? {} : { refused: "token" as const }),
    body: { jsonrpc: "2.0", error: { code: -32_000, message, data } },
  };
}

export function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
