import { Fault } from "../../errors.ts";
import type { ExchangeEnd } from "../../tunnel/exchange.ts";

/** Returns why a call failed; undefined if it completed, or if its client left. */
export function faultOf(end: ExchangeEnd): Fault | undefined {
  switch (end.kind) {
    case "complete":
      return undefined;
    case "canceled":
      return end.cause instanceof Fault ? end.cause : undefined;
    case "lost":
      return new Fault("worker_lost", { message: "The relay was lost while it served this request." });
    case "refused":
      return new Fault("too_many_calls", { retryAfterS: 1 });
    case "unsupported":
      return new Fault("relay_unavailable", { message: "The relay does not support requests of this kind." });
    case "too_large":
      return new Fault("request_too_large");
    case "broken":
      if (end.code === "too_many_calls") return new Fault("too_many_calls", { retryAfterS: 1 });
      return end.code === "timeout" ? relayTimeoutFault() : brokenFault(end);
    default:
      return end satisfies never;
  }
}

/** Answers a challenge of an MCP server to a caller whom this server has let in. */
export const OWN_CREDENTIALS =
  "The MCP server has asked for credentials, and those of a caller are not for it. The relay's owner has to give it the server's own key, with --header or in the servers file.";

/** The fault of a silence that this server has noticed. The usual words of it are about model servers and workers. */
export function timeoutFault(silenceMs: number): Fault {
  const seconds = Math.round(silenceMs / 1000);
  const message = `Nothing came from the MCP server for ${seconds} s (MCP_REQUEST_TIMEOUT of this server), so the call was given up.`;
  return new Fault("upstream_timeout", { message });
}

function relayTimeoutFault(): Fault {
  const message =
    "The MCP server sent nothing for longer than its relay waits (REQUEST_TIMEOUT of the relay), so the call was given up.";
  return new Fault("upstream_timeout", { message });
}

function brokenFault({ code, message: said }: Extract<ExchangeEnd, { readonly kind: "broken" }>): Fault {
  if (code === "upstream_unreachable") {
    return new Fault(code, {
      message: "The relay cannot reach its MCP server. Its owner sees why in the relay's log.",
    });
  }
  if (code === "draining")
    return new Fault("worker_lost", { message: "The relay stopped before the MCP server answered." });
  const more = said === "" ? "" : ` The relay says: ${quote(said)}.`;
  return new Fault("upstream_error", { message: `The MCP server gave no complete answer.${more}` });
}

/** Quotes a relay's words for a client: shortened, and without characters that control a terminal. */
function quote(text: string): string {
  return `'${text.slice(0, 200).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "")}'`;
}
