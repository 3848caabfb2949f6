import { Fault } from "../errors.ts";
import type { ExchangeEnd } from "../tunnel/exchange.ts";
import type { ResetCode } from "../wire/frame.ts";

/** The consequences of a failed exchange for its job. */
export interface Failure {
  /** For metrics and the log line. */
  readonly reason: string;
  /** The client's error, unless the job continues on another worker. */
  readonly fault: Fault;
  /**
   * `try others`: waiting for this worker would not help, but another one may. `try others, then wait`: without another one,
   * this one may recover. `wait`: this worker, or another, is likely to be back in moments. All only before the answer has
   * begun. `fail`: another worker is not expected to do better.
   */
  readonly otherwise: "fail" | "try others" | "try others, then wait" | "wait";
  /** Whether the worker was told to leave, so that the job does not lose one of its attempts. */
  readonly hasLeft?: true;
}

/** Judges the end of an exchange that has not brought an answer. */
export function failureOf(
  end: Extract<ExchangeEnd, { kind: "broken" | "lost" | "too_large" | "unsupported" }>,
): Failure {
  switch (end.kind) {
    case "lost":
      return { reason: "lost", fault: new Fault("worker_lost"), otherwise: "wait" };
    case "too_large":
      return { reason: "too_large", fault: tooLargeForWorker(end.maxBytes), otherwise: "try others" };
    case "unsupported":
      return { reason: "unsupported", fault: unsupportedByWorker(end.exchangeKind), otherwise: "try others" };
    case "broken":
      return failureOfCode(end.code);
    default:
      return end satisfies never;
  }
}

/** Judges the code with which a worker broke an exchange off. */
function failureOfCode(reason: ResetCode): Failure {
  switch (reason) {
    case "draining":
      return { reason, fault: new Fault("worker_lost"), otherwise: "wait", hasLeft: true };
    case "upstream_unreachable":
      return { reason, fault: new Fault("upstream_unreachable"), otherwise: "try others, then wait" };
    // The model server may have worked on the request, as it may have where the worker is lost. A second run costs time
    // and nothing else: the first answer has reached nobody, and a client would repeat the request after a 502 anyway.
    case "upstream_error":
      return { reason, fault: new Fault("upstream_error"), otherwise: "try others" };
    case "timeout":
      return { reason, fault: workerTimeoutFault(), otherwise: "fail" };
    default:
      return { reason, fault: new Fault("upstream_error"), otherwise: "fail" };
  }
}

/** The fault for a job whose worker was silent for longer than a setting of this server allows. */
export function silenceFault(silenceMs: number, setting: string | undefined): Fault {
  const limit = setting === undefined ? "the server allows" : `the server's setting ${setting} allows`;
  return new Fault("upstream_timeout", {
    message: `The worker sent nothing for ${Math.round(silenceMs / 1000)} s, which is as long as ${limit}, so the request was cancelled.`,
    ...(setting === undefined ? {} : { limit: setting }),
  });
}

/** The fault for a job that its worker gave up. Where the server's limit is shorter, the server gives the job up first. */
function workerTimeoutFault(): Fault {
  return new Fault("upstream_timeout", {
    message:
      "The worker gave up waiting for its model server: its own setting REQUEST_TIMEOUT (--request-timeout) is shorter than the server's limit.",
    limit: "worker",
  });
}

function tooLargeForWorker(maxBytes: number): Fault {
  return new Fault("request_too_large", {
    message: `The workers that serve this model right now take no request larger than ${maxBytes} bytes.`,
  });
}

/** The fault for a kind of exchange that no worker of the model takes. */
export function unsupportedByWorker(kind: string): Fault {
  return new Fault("no_worker_available", {
    message: `No worker that serves this model right now takes exchanges of kind '${kind}'. Try again shortly.`,
    retryAfterS: 5,
  });
}
