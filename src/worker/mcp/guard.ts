import { createHash, timingSafeEqual } from "node:crypto";
import type { Backend } from "../../answering/opening.ts";
import { bearerIn } from "../../wire/bearer.ts";

/** A backend for callers who send this token as a bearer; others get 401. The token itself goes no further. */
export function guarded(backend: Backend, token: string): Backend {
  const wanted = digest(token);
  return {
    open(head) {
      const given = head.headers.find(([name]) => name.toLowerCase() === "authorization")?.[1];
      const bearer = bearerIn(given);
      // Digests have one length, so comparing them takes the same time for any input.
      if (bearer !== undefined && timingSafeEqual(digest(bearer), wanted)) return backend.open(head);
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
    },
  };
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
