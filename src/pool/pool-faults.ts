import { Fault } from "../errors.ts";
import type { Demand } from "./directory.ts";

/** Seconds after which a client should retry: soon, since slots free at any moment. */
export const RETRY_AFTER_S = 2;
/** The same for a model without a ready worker, which takes longer to come back. */
const UNAVAILABLE_RETRY_AFTER_S = 5;

/** No worker takes requests for a model that is known. */
export function notReadyFault({ model, workerId }: Demand): Fault {
  const message =
    workerId === undefined
      ? `No worker that serves the model ${quote(model)} is ready right now. Try again shortly.`
      : `Worker ${quote(workerId)} is not ready to serve the model ${quote(model)} right now. Try again shortly.`;
  return new Fault("no_worker_available", { message, retryAfterS: UNAVAILABLE_RETRY_AFTER_S });
}

/** No worker has brought a model to a server that has just started. A 404 would make clients give up on it. */
export function justStartedFault({ model, workerId }: Demand): Fault {
  const what = workerId === undefined ? `no worker that serves ${quote(model)}` : `worker ${quote(workerId)}`;
  const isNot = workerId === undefined ? "has connected yet" : "has not connected yet";
  return new Fault("no_worker_available", {
    message: `This server has just started, and ${what} ${isNot}. Try again shortly.`,
    retryAfterS: RETRY_AFTER_S,
  });
}

/**
 * A server has joined the cluster and has not announced yet what it serves. A 404 would make clients give up on the model.
 */
export function notToldFault({ model, workerId }: Demand): Fault {
  const what = workerId === undefined ? `the model ${quote(model)}` : `worker ${quote(workerId)}`;
  return new Fault("no_worker_available", {
    message: `A server that has just joined this one may have ${what}. Try again shortly.`,
    retryAfterS: RETRY_AFTER_S,
  });
}

/** A job that waited was refused, so that another caller's job can wait in the full queue. */
export function pushedOutFault(): Fault {
  return new Fault("queue_full", {
    message:
      "The queue is full, and this key or end user has the most requests in it, so this one made room for another. Try again shortly, and with fewer requests at a time.",
    retryAfterS: RETRY_AFTER_S,
  });
}

/** Model ids that a message lists at most: enough to see a typing error, not a catalogue. */
const LISTED_MODELS = 20;

/** A model is not served. A pool is one of several, so the message speaks of its route only: another may serve the model. */
export function modelNotFoundFault(model: string, known: readonly string[], workers: number): Fault {
  return new Fault("model_not_found", { message: notFoundText(model, known, workers), param: "model" });
}

/** A model is not served, to a caller that may use none of those that are: their names and number are not revealed to it. */
export function modelNotVisibleFault(model: string): Fault {
  return new Fault("model_not_found", { message: `${notServedText(model)}.`, param: "model" });
}

/** A model is not among those that a list shows to its caller. */
export function modelNotListedFault(model: string, listed: readonly string[]): Fault {
  if (listed.length === 0) return modelNotVisibleFault(model);
  const message = `${notServedText(model)}. ${listText(listed)}`;
  return new Fault("model_not_found", { message, param: "model" });
}

function notServedText(model: string): string {
  return `The model ${quote(model)} is not served on this route`;
}

function notFoundText(model: string, known: readonly string[], workers: number): string {
  const start = notServedText(model);
  if (workers === 0 && known.length === 0) return `${start}: no worker is connected.`;
  if (known.length === 0) {
    const offer =
      workers === 1
        ? "1 worker is connected, but it serves no model right now"
        : `${workers} workers are connected, but none serves a model right now`;
    return `${start}: ${offer}. The dashboard at /state shows why.`;
  }
  return `${start}. ${listText(known)}`;
}

function listText(models: readonly string[]): string {
  const listed = models.slice(0, LISTED_MODELS).map(quote).join(", ");
  const more = models.length > LISTED_MODELS ? ` and ${models.length - LISTED_MODELS} more` : "";
  return `Available models: ${listed}${more}.`;
}

function quote(text: string): string {
  return `'${text.slice(0, 128)}'`;
}
