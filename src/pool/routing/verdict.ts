import type { ExchangeEnd } from "../../tunnel/exchange.ts";
import type { ResetCode } from "../../wire/frame.ts";
import type { ResponseHead } from "../../wire/heads.ts";

/** What the end of an attempt says of its worker. An absent part says nothing, because the worker was not the cause. */
export interface Verdict {
  /** Whether the worker and its backend could be reached, for all of its models. */
  readonly link?: "worked" | "failed";
  /** Whether the backend served the model. */
  readonly model?: "worked" | "failed";
  /** The failure in the server's words; present if a part has failed. */
  readonly reason?: string;
}

const NOTHING: Verdict = {};
const WORKED: Verdict = { link: "worked", model: "worked" };
const ANSWERED: Verdict = { link: "worked" };

/** The end of an attempt, as its job knows it. */
export interface AttemptEnd {
  readonly end: ExchangeEnd;
  /** The head of the answer; undefined without one. */
  readonly head: ResponseHead | undefined;
  /** Whether this server gave up because the worker was silent for too long. */
  readonly wasSilent: boolean;
}

/** Judges the end of an attempt. Refusals, and answers that reject the request, are no failures of the worker. */
export function verdictOf({ end, head, wasSilent }: AttemptEnd): Verdict {
  switch (end.kind) {
    case "complete":
      return verdictOfAnswer(head);
    case "broken":
      return verdictOfCode(end.code);
    case "lost":
      return { link: "failed", reason: "lost" };
    case "canceled":
      return wasSilent ? { model: "failed", reason: "silent" } : NOTHING;
    case "refused":
    case "unsupported":
    case "too_large":
      return NOTHING;
    default:
      return end satisfies never;
  }
}

function verdictOfAnswer(head: ResponseHead | undefined): Verdict {
  const status = head?.status ?? 200;
  if (status < 400) return WORKED;
  if (status < 500 || saysLater(status, head) || status === 501) return ANSWERED;
  return { link: "worked", model: "failed", reason: `status ${status}` };
}

/** Returns whether the backend says when to retry, as one that is full or still loading does. */
function saysLater(status: number, head: ResponseHead | undefined): boolean {
  return status === 503 && (head?.headers.some(([name]) => name.toLowerCase() === "retry-after") ?? false);
}

function verdictOfCode(code: ResetCode): Verdict {
  switch (code) {
    // The worker leaves in order, is full, or confirms a cancel.
    case "draining":
    case "busy":
    case "canceled":
      return NOTHING;
    // These ends come from another server, which judges its own worker itself.
    case "worker_lost":
    case "too_many_calls":
    case "too_large":
      return NOTHING;
    case "upstream_error":
    case "timeout":
      return { link: "worked", model: "failed", reason: code };
    case "upstream_unreachable":
    case "flow_control":
    case "protocol_error":
    case "internal":
      return { link: "failed", reason: code };
    default:
      return code satisfies never;
  }
}
