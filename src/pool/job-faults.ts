import { Fault } from "../errors.ts";

/** No worker that is left takes a request of this size. */
export function tooLargeForWorker(maxBytes: number): Fault {
  return new Fault("request_too_large", {
    message: `The workers that serve this model now take no request larger than ${maxBytes} bytes.`,
  });
}

/** No worker that is left takes a request of this kind. */
export function unsupportedByWorker(kind: string): Fault {
  return new Fault("no_worker_available", {
    message: `No worker that serves this model now takes exchanges of kind '${kind}'. Try again shortly.`,
    retryAfterS: 5,
  });
}

/** What a client is told of the code with which a worker broke off. */
export function toFault(code: string): Fault {
  switch (code) {
    case "upstream_unreachable":
      return new Fault("upstream_unreachable");
    case "timeout":
      return new Fault("upstream_timeout");
    case "draining":
      return new Fault("worker_lost");
    default:
      return new Fault("upstream_error");
  }
}
