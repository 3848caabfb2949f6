import type { Backend } from "../../answering/opening.ts";
import { asksForInventory } from "./serve-inventory.ts";

/**
 * A backend for callers that the server has let in. A call without a caller came through a server that lets everybody in, so it
 * is refused.
 */
export function letInOnly(backend: Backend): Backend {
  return {
    open(head) {
      // The server asks for the inventory itself, and no caller can.
      if (head.caller !== undefined || asksForInventory(head)) return backend.open(head);
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
