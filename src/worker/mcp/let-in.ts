import type { Backend } from "../../answering/opening.ts";

/**
 * A backend for callers whom the server has let in. A call of which the server does not say who it is has come through a server
 * that lets everybody in, so it is refused.
 */
export function letInOnly(backend: Backend): Backend {
  return {
    open(head) {
      if (head.caller !== undefined) return backend.open(head);
      return {
        kind: "answer",
        status: 403,
        body: {
          jsonrpc: "2.0",
          error: {
            code: -32_000,
            message: "The server that this relay is connected to has not said who calls.",
            data: { code: "relay_not_allowed" },
          },
        },
      };
    },
  };
}
