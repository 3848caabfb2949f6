import { DEFAULT_TENANT } from "../../auth/caller.ts";
import { Fault } from "../../errors.ts";
import type { Clock } from "../../system/deps.ts";
import type { Exchange, ExchangeEnd, ExchangeRequest, ExchangeSink } from "../../tunnel/exchange.ts";
import type { Admitted, PeerHandler, PeerRequest, Refusal } from "../../tunnel/peer-handler.ts";
import type { HeaderPairs, RequestHead, ResponseHead } from "../../wire/heads.ts";
import { INVENTORY_PATH } from "../../wire/mcp-inventory.ts";
import { METADATA_PATH } from "../../wire/mcp-metadata.ts";
import type { PeerCall, PeerOrder, ServingWorker } from "../../wire/peer-heads.ts";
import { isEventStreamType } from "../../wire/response-progress.ts";
import { faultOf } from "./call-faults.ts";
import { connectorOf } from "./connectors.ts";
import { SESSION_HEADER } from "./headers.ts";
import type { SessionUse } from "./held-sessions.ts";
import type { Listener, Listeners } from "./listeners.ts";
import type { McpArea } from "./mcp-area.ts";
import type { Relay } from "./relays.ts";
import { takesResource } from "./resource.ts";
import { knownLabel } from "./rpc-facts.ts";
import { RpcVerdict } from "./rpc-verdict.ts";
import { noMetadataFault } from "./serve-metadata.ts";

/**
 * Refuses a call because the relay is not here. `busy` means that no relay has seen the call, so it may be sent elsewhere.
 */
const NOT_HERE: Refusal = { ok: false, code: "busy", message: "the relay is not on this server", free: 0 };

const UNKNOWN_CALL: PeerCall = { method: "other", listens: false };

/**
 * Serves the calls that clients of other servers make to the relays of this server. This server counts everything that
 * belongs to a relay, as for its own clients: places, MCP sessions, functions, failures. The other server does everything
 * that belongs to the client: names, deadlines, keep-alives, the log line.
 */
export function createPeerCalls(area: McpArea, clock: Clock): PeerHandler {
  return {
    admit({ head, order }: PeerRequest): Admitted | Refusal {
      const relay = order?.worker === undefined ? undefined : area.relays.own(order.worker);
      // No client's request has this path. Without a caller it is for an operator.
      if (order && relay && head.path === INVENTORY_PATH)
        return head.caller === undefined || isLetIn(relay, head, order) ? inventoryPass(relay) : NOT_HERE;
      if (!order || !relay || relay.isDrained || area.isDraining) return NOT_HERE;
      if (!isLetIn(relay, head, order)) return NOT_HERE;
      const told = order.call ?? UNKNOWN_CALL;
      const call = { ...told, method: knownLabel(told.method) };
      try {
        const release = area.enter(relay, call.listens, order.request_id, call.method);
        return new PeerRelayCall({ area, clock, relay, call, head, release });
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        return { ok: false, code: "too_many_calls", message: error.message };
      }
    },
  };
}

/**
 * Whether the other server has let in the caller by what the relay is now. It has not if it knows the relay by an earlier access, or
 * if it has an earlier version, which lets everybody through. It then looks for the relay again.
 */
function isLetIn({ session }: Relay, head: RequestHead, { tenant = DEFAULT_TENANT }: PeerOrder): boolean {
  const { caller } = head;
  const connector = connectorOf(session);
  if (!connector || !caller) return !connector && !caller;
  return (caller.rules === undefined || connector.restricts) && (connector.tenants?.includes(tenant) ?? true);
}

/** Lets another server ask a relay of this one for its inventory, which is no call of a client and is not counted. */
function inventoryPass({ session }: Relay): Admitted {
  const { worker, id } = session;
  return {
    ok: true,
    worker: { id: worker.id, name: worker.name, session: id },
    open({ head, body }, sink) {
      const { kind: _, ...rest } = head;
      return session.open({ head: rest, body }, sink);
    },
    onEnd: () => {},
    onSettled: () => {},
  };
}

interface PeerRelayCallOptions {
  readonly area: McpArea;
  readonly clock: Clock;
  readonly relay: Relay;
  readonly call: PeerCall;
  readonly head: RequestHead;
  readonly release: () => void;
}

/** One call of a client of another server. */
class PeerRelayCall implements Admitted {
  readonly ok = true;
  readonly worker: ServingWorker;
  readonly #options: PeerRelayCallOptions;
  readonly #use: SessionUse;
  readonly #startedAt: number;
  #answer: PassedAnswer | undefined;

  constructor(options: PeerRelayCallOptions) {
    this.#options = options;
    const { area, clock, relay, head } = options;
    const { worker, id } = relay.session;
    this.worker = { id: worker.id, name: worker.name, session: id };
    this.#use = area.use(relay, head.method, headerOf(head.headers, SESSION_HEADER));
    this.#startedAt = clock.elapsed();
  }

  open({ head, body }: ExchangeRequest, sink: ExchangeSink): Exchange {
    const { area, clock, relay, call } = this.#options;
    const { resource, kind: _, ...rest } = head;
    const isOpenToOthers = takesResource(relay);
    if (!isOpenToOthers && head.path === METADATA_PATH) return openAnswered(sink, noMetadataFault(), clock);
    const answer = new PassedAnswer(sink, this.#use, call.listens ? area.listeners : undefined);
    this.#answer = answer;
    const relayHead = isOpenToOthers && resource !== undefined ? { ...rest, resource } : rest;
    return answer.pass(relay.session.open({ head: relayHead, body }, answer));
  }

  onEnd(end: ExchangeEnd, head: ResponseHead | undefined, wasSilent: boolean): void {
    const { area, clock, relay, call } = this.#options;
    this.#use.ended();
    const fault = wasSilent ? new Fault("upstream_timeout") : faultOf(end);
    area.served(relay, {
      method: call.method,
      functionName: call.name,
      report: {
        outcome: end.kind === "complete" ? "completed" : fault ? "failed" : "canceled",
        fault,
        status: head?.status,
        durationMs: clock.elapsed() - this.#startedAt,
        isError: (head?.status ?? 0) >= 400 || this.#answer?.isFailure === true,
      },
    });
  }

  onSettled(): void {
    this.#options.release();
  }
}

/** An answer that passes through unchanged, and is read only for counts. */
class PassedAnswer implements ExchangeSink, Listener {
  readonly #sink: ExchangeSink;
  readonly #use: SessionUse;
  /** Undefined for a call that has an end of its own. */
  readonly #listeners: Listeners | undefined;
  /** Undefined for a call that only listens: its answer holds no response. */
  readonly #verdict: RpcVerdict | undefined;
  #exchange: Exchange | undefined;
  #head: ResponseHead | undefined;
  #isEventStream = false;
  #hasEnded = false;

  constructor(sink: ExchangeSink, use: SessionUse, listeners: Listeners | undefined) {
    this.#sink = sink;
    this.#use = use;
    this.#listeners = listeners;
    this.#verdict = listeners ? undefined : new RpcVerdict();
  }

  /** Sets the exchange that brings the answer. Called once, before any part of the answer. */
  pass(exchange: Exchange): Exchange {
    this.#exchange = exchange;
    this.#listeners?.add(this);
    return exchange;
  }

  /** Whether the answer is an error or the result of a function that failed. Read once, at its end. */
  get isFailure(): boolean {
    return this.#verdict?.isFailure(this.#isEventStream) === true;
  }

  onHead(head: ResponseHead): void {
    if (this.#hasEnded) return;
    this.#head = head;
    this.#isEventStream = isEventStreamType(headerOf(head.headers, "content-type") ?? "");
    this.#use.answered(head.status, headerOf(head.headers, SESSION_HEADER));
    this.#sink.onHead(head);
  }

  onData(bytes: Uint8Array): void {
    if (this.#hasEnded) return;
    this.#verdict?.add(bytes);
    this.#sink.onData(bytes);
  }

  onEnd(end: ExchangeEnd): void {
    // `refused` would tell the other server that the relay is not here.
    this.#end(end.kind === "refused" ? { kind: "broken", code: "too_many_calls", message: end.message } : end);
  }

  onSettled(): void {
    this.#sink.onSettled();
  }

  /**
   * It ends as for a client of this server: in order if an event stream has begun, with `draining` if no answer has begun.
   */
  endListening(): void {
    if (!this.#head)
      this.#end({ kind: "broken", code: "draining", message: "the server of the relay is shutting down" });
    else if (this.#isEventStream) this.#end({ kind: "complete" });
    else return;
    this.#exchange?.cancel("canceled");
  }

  #end(end: ExchangeEnd): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#listeners?.remove(this);
    this.#sink.onEnd(end);
  }
}

/** Ends an exchange that no relay sees with a fault, after the call that opened it has returned. */
function openAnswered(sink: ExchangeSink, fault: Fault, clock: Clock): Exchange {
  let hasEnded = false;
  const end = (how: ExchangeEnd): void => {
    if (hasEnded) return;
    hasEnded = true;
    sink.onEnd(how);
    sink.onSettled();
  };
  queueMicrotask(() => {
    if (hasEnded) return;
    sink.onHead({ status: fault.status, headers: [["content-type", "application/json"]] });
    if (!hasEnded) sink.onData(Buffer.from(JSON.stringify(fault.body())));
    end({ kind: "complete" });
  });
  return {
    consumed: () => {},
    cancel: () => end({ kind: "canceled" }),
    lastProgressAt: clock.elapsed(),
    isWaitingForUs: false,
  };
}

function headerOf(headers: HeaderPairs, name: string): string | undefined {
  return headers.find(([each]) => each.toLowerCase() === name)?.[1];
}
