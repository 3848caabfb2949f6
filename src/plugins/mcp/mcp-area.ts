import type { ConnectorDoor } from "../../auth/connector-door.ts";
import { Fault } from "../../errors.ts";
import type { Metrics } from "../../figures/metrics.ts";
import type { ConnectorRelays } from "../../oauth/connector.ts";
import type { ClusterPorts } from "../../plugin/cluster.ts";
import type { EndedCalls, EndedMcpCall } from "../../plugin/ended-calls.ts";
import type { EndedRequests } from "../../plugin/ended-requests.ts";
import { createWorkerOperator, knownElsewhere, type WorkerOperator } from "../../plugin/operator.ts";
import { type RestrictionRecords, Restrictions } from "../../plugin/restrictions.ts";
import type { Deps } from "../../system/deps.ts";
import { Idle } from "../../system/idle.ts";
import type { Intake, SessionSource } from "../../tunnel/session-source.ts";
import { CLOSES } from "../../wire/closes.ts";
import type { CallReport } from "./call-relay.ts";
import { CallerCalls } from "./caller-calls.ts";
import { createConnectors } from "./connectors.ts";
import { type EndedCall, keptCall, keptUnserved, type UnservedCall } from "./ended-call.ts";
import { createRelayGreeting } from "./greeting.ts";
import type { SessionUse } from "./held-sessions.ts";
import { legacyMessageBytes } from "./legacy-relay.ts";
import { Listeners } from "./listeners.ts";
import { type McpState, toMcpState } from "./mcp-state.ts";
import { countOutcome } from "./relay-health.ts";
import { type Relay, Relays } from "./relays.ts";
import { createRemoteRelays } from "./remote-relays.ts";
import type { McpConfig } from "./settings.ts";

export interface McpAreaOptions {
  readonly config: McpConfig;
  readonly deps: Deps;
  readonly metrics: Metrics;
  readonly auth: { readonly connectors: Pick<ConnectorDoor, "isReady"> };
  readonly sessions: SessionSource;
  /** Restrictions are kept in memory alone unless given. */
  readonly restrictionRecords?: ((pluginId: string) => RestrictionRecords) | undefined;
  /** Takes note of the requests that have ended; undefined where nobody counts them. */
  readonly endedRequests?: EndedRequests | undefined;
  /** Takes note of single calls; undefined where nobody keeps them. */
  readonly endedCalls?: EndedCalls | undefined;
  /** The other servers; undefined for a server without a cluster. */
  readonly cluster?: ClusterPorts | undefined;
}

/** A call that has ended, for the counts of its relay. */
export interface ServedCall {
  /** The label of `RpcFacts`. */
  readonly method: string;
  /** The function that was called, as the caller named it. */
  readonly functionName: string | undefined;
  readonly report: Pick<CallReport, "outcome" | "fault" | "status" | "durationMs" | "isError">;
}

/** The relays, the intake of their sessions, and the counts of their calls. */
export class McpArea {
  readonly relays: Relays;
  readonly workers: WorkerOperator;
  readonly listeners = new Listeners();
  /** The running calls of callers whom this server has let in. */
  readonly callerCalls = new CallerCalls();
  readonly connectors: ConnectorRelays;
  readonly intake: Intake;
  readonly #options: McpAreaOptions;
  readonly #restrictions: Restrictions;
  readonly #count: (labels: Readonly<Record<string, string>>, by?: number) => void;
  readonly #countOpened: (labels: Readonly<Record<string, string>>) => void;
  readonly #calls = new Map<string, number>();
  #running = 0;
  #changes = 0;
  #isDraining = false;
  readonly #idle = new Idle(() => this.#running === 0);

  constructor(options: McpAreaOptions) {
    const { config, deps, metrics, sessions } = options;
    this.#options = options;
    const onChange = (): void => {
      this.#changes += 1;
    };
    const records = options.restrictionRecords?.("mcp");
    this.#restrictions = new Restrictions({ clock: deps.clock, records, onChange });
    this.relays = new Relays({
      clock: deps.clock,
      rejoinMs: config.mcpRejoinTimeoutMs,
      startGraceMs: config.startGraceMs,
      restrictions: this.#restrictions,
      onChange,
      remotes: options.cluster && createRemoteRelays(options.cluster),
    });
    this.connectors = createConnectors(this.relays, this.callerCalls);
    this.intake = sessions.createIntake({
      pluginId: "mcp",
      greeting: createRelayGreeting(options.auth.connectors),
      pool: this.relays,
      isBlocked: (id) => this.#restrictions.isBlocked(id),
      maxLegacyBytes: legacyMessageBytes(config.mcpMaxAnswerBytes),
    });
    const isElsewhere = knownElsewhere(options.cluster, "mcp");
    this.workers = createWorkerOperator(this.#restrictions, {
      sessionOf: (id) => this.relays.sessionOf(id),
      isKnown: (id) => this.intake.knows(id) || isElsewhere(id),
      setDrained: (id, isDrained) => this.relays.setDrained(id, isDrained),
    });
    this.#count = metrics.counter("moorage_mcp_calls_total", "MCP requests ended, by method and outcome.", [
      "method",
      "outcome",
    ]);
    this.#countOpened = metrics.counter("moorage_mcp_sessions_opened_total", "MCP sessions that answers began.", []);
    metrics.gauge("moorage_mcp_relays", "MCP relays connected.", [], () => [{ labels: {}, value: this.relays.size }]);
    metrics.gauge("moorage_mcp_sessions", "MCP sessions that clients hold.", [], () => {
      let held = 0;
      for (const relay of this.relays.all()) held += relay.held.count();
      return [{ labels: {}, value: held }];
    });
    metrics.gauge("moorage_mcp_in_flight", "MCP calls and streams under way.", ["kind"], () => {
      let [calls, streams] = [0, 0];
      for (const relay of this.relays.all()) {
        calls += relay.calls;
        streams += relay.streams;
      }
      return [
        { labels: { kind: "call" }, value: calls },
        { labels: { kind: "stream" }, value: streams },
      ];
    });
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** Grows with every change that `state` would show. */
  get revision(): number {
    return this.#changes;
  }

  /** Counts a call among those that run on the relay. The returned function ends that. Throws `too_many_calls`. */
  enter(relay: Relay, isStream: boolean, requestId: string, method: string): () => void {
    const { mcpMaxCalls, mcpMaxStreams } = this.#options.config;
    const kind = isStream ? "streams" : "calls";
    if (relay[kind] >= (isStream ? mcpMaxStreams : mcpMaxCalls)) throw new Fault("too_many_calls", { retryAfterS: 1 });
    const running = { requestId, method, startedAt: this.#options.deps.clock.now() };
    relay[kind] += 1;
    relay.running.add(running);
    const leave = this.enterRemote();
    return () => {
      relay[kind] -= 1;
      relay.running.delete(running);
      leave();
    };
  }

  /** Counts a call to a relay of another server as running here, until the returned function is called. */
  enterRemote(): () => void {
    this.#running += 1;
    this.#changes += 1;
    return () => {
      this.#running -= 1;
      this.#changes += 1;
      this.#idle.check();
    };
  }

  /** Counts an ended call for its relay, whichever server the client asked. */
  served(relay: Relay, { method, functionName, report }: ServedCall): void {
    const { outcome, fault, status, durationMs, isError } = report;
    countOutcome(relay, report, this.#options.deps.clock.now());
    relay.methods.set(method, (relay.methods.get(method) ?? 0) + 1);
    // A caller without access can name functions that do not exist.
    if (functionName !== undefined && status !== 401 && status !== 403 && fault?.code !== "too_many_auth_failures")
      relay.functions.add(functionName, { outcome: isError ? "failed" : outcome, durationMs });
  }

  /** Counts a call that reached its relay, on this server or another one, in metrics, and writes its one log line. */
  ended(call: EndedCall): void {
    const { requestId, caller, relayId, server, facts, bytesIn, report } = call;
    const { label: method, isStream } = facts;
    const { outcome, fault, status, firstByteMs, durationMs, bytesOut, isError } = report;
    // The relay served an answer that is an error, too. Only the count by method and outcome distinguishes it.
    this.#tally(method, outcome === "completed" && isError ? "error" : outcome);
    const measured = this.#options.metrics.forModel("mcp", undefined);
    measured.ended(outcome);
    // A stream that only listens lasts as long as its client likes, which says nothing about the server.
    if (!isStream) measured.duration(durationMs / 1000);
    if (firstByteMs !== undefined) measured.firstByte(firstByteMs / 1000);
    measured.bytesOut(bytesOut);
    this.#options.endedRequests?.addOther({ caller, model: `mcp:${relayId}`, outcome, waitMs: 0, heldMs: 0 });
    this.#options.deps.log.info("call.ended", {
      plugin: "mcp",
      request: requestId,
      caller: caller.name,
      address: caller.address,
      route: caller.route,
      relay: relayId,
      server,
      method,
      outcome,
      reason: fault?.code,
      status,
      first_byte_ms: firstByteMs === undefined ? undefined : Math.round(firstByteMs),
      duration_ms: Math.round(durationMs),
      bytes_in: bytesIn,
      bytes_out: bytesOut,
    });
    this.#keep(keptCall, call);
  }

  /** Begins to count a request to its MCP session, if it names one. */
  use(relay: Relay, httpMethod: string, sessionId: string | undefined): SessionUse {
    const use = relay.held.use(httpMethod, sessionId);
    return {
      ended: () => use.ended(),
      answered: (status, minted) => {
        const before = relay.held.opened;
        use.answered(status, minted);
        this.#changes += 1;
        if (relay.held.opened > before) this.#countOpened({});
      },
    };
  }

  /** Counts a call that reached no relay. One whose client has left before is not counted, and kept if it is of interest. */
  unserved(call: UnservedCall): void {
    this.#keep(keptUnserved, call);
    if (call.fault) this.refused(call.fault, call.facts.label);
  }

  /** Counts a request that reached no relay and is no call. */
  refused(fault: Fault, method: string): void {
    this.#options.metrics.rejection("mcp", fault.code);
    this.#tally(method, "refused");
  }

  state(): McpState {
    const restrictions = this.#restrictions.state((id) => this.relays.sessionOf(id) !== undefined);
    return toMcpState(this.relays.all(), restrictions, this.#calls, this.#isDraining, this.#options.deps.clock.now());
  }

  /** Tells the relays that another server is taking over. Everything goes on until `drain`. */
  handOver(): void {
    this.intake.handOver("another server is taking over", this.#retryAfterMs);
  }

  /** Ends the calls of keys that are no longer valid: see `CallerCalls`. */
  endRequests(judge: (keyId: string) => Fault | undefined): void {
    this.callerCalls.endRequests(judge);
  }

  /**
   * Refuses new relays and calls, ends the streams, tells the connected relays, and resolves when the last call has
   * ended.
   */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.relays.giveUpWaiting();
    this.listeners.endAll();
    this.intake.drain("the server is shutting down", this.#retryAfterMs);
    await this.#idle.wait();
  }

  close(): void {
    this.#isDraining = true;
    this.relays.giveUpWaiting();
    this.intake.close(CLOSES.server_restart);
  }

  /** The pause before relays dial again; undefined for the usual one if no other server takes them. */
  get #retryAfterMs(): number | undefined {
    return this.#options.cluster?.members.isAnyReady() ? 0 : undefined;
  }

  #keep<C>(kept: (call: C) => EndedMcpCall | undefined, call: C): void {
    const { endedCalls } = this.#options;
    const found = endedCalls && kept(call);
    if (found) endedCalls.add(found);
  }

  #tally(method: string, outcome: string): void {
    this.#changes += 1;
    this.#calls.set(method, (this.#calls.get(method) ?? 0) + 1);
    this.#count({ method, outcome });
  }
}
