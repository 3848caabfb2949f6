import type { ActiveCaller } from "../auth/caller.ts";
import { drainingFault, type Fault } from "../errors.ts";
import { SPEED_UNIT, type Usage } from "../figures/units.ts";
import type { Visit } from "../http/visit.ts";
import type { Lifecycle, ModelCard, ModelCatalog } from "../plugin/contract.ts";
import { createWorkerOperator, type JobOperator, knownElsewhere, type WorkerOperator } from "../plugin/operator.ts";
import type { Condition, Pulse, Reports } from "../plugin/reports.ts";
import type { RestrictionState } from "../plugin/restriction-state.ts";
import { Restrictions } from "../plugin/restrictions.ts";
import type { Needs, RequestCharge } from "../pool/charge.ts";
import { NONE_EXCLUDED } from "../pool/excluded.ts";
import type { JobReport } from "../pool/job-spec.ts";
import { Pool } from "../pool/pool.ts";
import { Soonest } from "../pool/routing/soonest.ts";
import { Idle } from "../system/idle.ts";
import type { Intake } from "../tunnel/session-source.ts";
import { CLOSES } from "../wire/closes.ts";
import { AreaPasts } from "./area-pasts.ts";
import { toPulse } from "./area-pulse.ts";
import { type ModelAreaState, toAreaState } from "./area-state.ts";
import { chargedFor } from "./charged-for.ts";
import { ColdCaches } from "./cold-caches.ts";
import { AreaDetails } from "./details.ts";
import { Drift } from "./drift.ts";
import { EndUsers } from "./end-users.ts";
import type { EndedJob } from "./ended-job.ts";
import { toEndedRequest } from "./ended-request.ts";
import { registerGauges } from "./gauges.ts";
import { createModelGreeting } from "./greeting.ts";
import { createHealthLog } from "./health-log.ts";
import { createCostOf } from "./job-cost.ts";
import { toLogFields } from "./job-log.ts";
import { Ledger } from "./ledger.ts";
import type { ModelAreaOptions } from "./model-area-options.ts";
import { ModelCards } from "./model-cards.ts";
import { momentOf } from "./moment.ts";
import { findInArea } from "./problems.ts";
import { queueOrder } from "./queue-order.ts";
import { RequestRoom } from "./request-room.ts";
import { SchedulerSeries } from "./scheduler-series.ts";
import { Standings } from "./standings.ts";
import { WorkerSeries } from "./worker-series.ts";

/**
 * The core of a plugin whose workers serve models: the pool, the intake of the workers' sessions, and the count of the
 * jobs.
 */
export class ModelArea implements Reports, ModelCatalog, JobOperator, Lifecycle {
  readonly pool: Pool;
  readonly workers: WorkerOperator;
  readonly intake: Intake;
  /** Which workers are not worth sending prompts to for the sake of their caches. */
  readonly coldCaches: ColdCaches;
  /** Reads the end user and the urgency of requests. */
  readonly standings: Standings;
  /** Single workers, models and jobs, for operators. */
  readonly details: AreaDetails;
  readonly #options: ModelAreaOptions;
  readonly #startedAt: number;
  readonly #ledger: Ledger;
  readonly #pasts: AreaPasts;
  readonly #scheduling: SchedulerSeries;
  readonly #cards: ModelCards;
  readonly #restrictions: Restrictions;
  #running = 0;
  readonly #drift: Drift;
  #isLeaving = false;
  readonly #draining = new AbortController();
  readonly #idle = new Idle(() => this.#running === 0);

  constructor(options: ModelAreaOptions) {
    const { config, deps } = options;
    this.#options = options;
    this.#startedAt = deps.clock.elapsed();
    this.#drift = new Drift(deps.clock);
    const random = deps.ids.secret();
    const secret = options.secretFor?.("end-users") ?? (() => random);
    this.standings = new Standings(config.endUserHeaders, new EndUsers(secret, deps.clock));
    this.#restrictions = new Restrictions({
      clock: deps.clock,
      records: options.restrictionRecords?.(options.pluginId),
      onChange: () => this.pool.touch(),
    });
    const logHealth = createHealthLog(deps, options.pluginId);
    const seats = () => this.pool.seats();
    // Anybody may read /metrics on the public listener, and nobody without a key may learn the names of workers.
    const workers = config.metricsListener && new WorkerSeries({ clock: deps.clock, plugin: options.pluginId, seats });
    const costOf = createCostOf(config.queueWeights, options.modelType === "transcription");
    const member = options.cluster?.joinPool(options.pluginId);
    this.pool = new Pool({
      clock: deps.clock,
      queueSize: config.queueSize,
      queueTimeoutMs: config.queueTimeoutMs,
      modelGraceMs: config.modelGraceMs,
      startGraceMs: config.startGraceMs,
      serverId: config.serverId,
      name: options.pluginId,
      isDrained: (workerId) => this.#restrictions.isDrained(workerId),
      createPolicy: queueOrder({ config, clock: deps.clock, costOf, charges: options.charges }),
      routePolicy: new Soonest(),
      remotes: member?.remotes,
      onHealth: (event) => {
        logHealth(event);
        this.#scheduling.health(event);
        workers?.health(event);
      },
    });
    this.#pasts = new AreaPasts({
      clock: deps.clock,
      pool: () => this.pool,
      mask: (text) => deps.mask?.apply(text) ?? text,
    });
    this.coldCaches = new ColdCaches(this.pool);
    this.coldCaches.register(options.metrics, options.pluginId);
    this.#cards = new ModelCards(this.pool, options.modelType);
    this.intake = options.sessions.createIntake({
      pluginId: options.pluginId,
      greeting: createModelGreeting({
        holdBytes: config.legacyHoldBytes,
        createSpool: options.createSpool,
        maxRequestBytes: config.legacyBodyBytes,
        room: new RequestRoom(config.legacyBodyBytes),
      }),
      pool: this.#pasts.watch(this.pool),
      isBlocked: (workerId) => this.#restrictions.isBlocked(workerId),
    });
    const isElsewhere = knownElsewhere(options.cluster, options.pluginId);
    this.workers = createWorkerOperator(this.#restrictions, {
      sessionOf: (workerId) => this.pool.seatOf(workerId)?.session,
      isKnown: (workerId) => this.intake.knows(workerId) || isElsewhere(workerId),
      setDrained: (workerId, isDrained) => void this.pool.setDrained(workerId, isDrained),
    });
    workers?.register(options.metrics);
    this.#ledger = new Ledger({
      pluginId: options.pluginId,
      clock: deps.clock,
      metrics: options.metrics,
      knownModels: () => this.pool.models.known(),
      workers,
      pasts: this.#pasts,
    });
    const { pool } = this;
    this.details = new AreaDetails({
      ...{ pluginId: options.pluginId, clock: deps.clock, pool, ledger: this.#ledger },
      ...{ pasts: this.#pasts, cards: this.#cards, restrictions: () => this.#restricted },
    });
    registerGauges(options.metrics, options.pluginId, this.pool, () => this.#running);
    this.#scheduling = new SchedulerSeries(options.pluginId, options.metrics);
    this.#scheduling.register(this.pool);
    member?.begin(this.pool, (claim, work) => {
      this.#ledger.countForPeer(claim, work);
      this.pool.touch();
    });
  }

  /** Whether new jobs are refused, because the server is draining and no peer could serve them. */
  get isDraining(): boolean {
    return this.#isLeaving && !this.#hasSuccessor;
  }

  /** Aborted when new jobs begin to be refused for good. */
  get drainSignal(): AbortSignal {
    return this.#draining.signal;
  }

  /**
   * Opens the charge of a request, whose headers tell the client how much its limits leave. Undefined for a caller without
   * limits. The charge goes into the `JobSpec` of each job and, at the end of the request, into `ended`.
   */
  charge(visit: Visit, caller: ActiveCaller, needs: () => Needs): RequestCharge | undefined {
    const charge = this.#options.charges?.open(caller, needs);
    visit.limits = charge;
    return charge;
  }

  /** Counts a job in. Each call MUST be followed by one `ended`. */
  began(): void {
    this.#running += 1;
  }

  /** Counts one of several jobs that serve a request together. The request itself begins and ends as one job. */
  partEnded(report: JobReport, usage: Usage | undefined): void {
    this.#ledger.countPart(report, usage);
    this.pool.touch();
  }

  /** Counts a job out: totals, metrics, and its one log line. */
  ended(ended: EndedJob): void {
    // Before the usage is counted: a budget that begins with this request would count it twice.
    ended.charge?.settle(chargedFor(ended.usage));
    const outcome = this.#ledger.count(ended);
    this.#scheduling.count(ended.report);
    this.#running -= 1;
    if ((ended.usage?.[SPEED_UNIT] ?? 0) > 0) this.#drift.output(this.#options.deps.clock.elapsed());
    this.pool.touch();
    const { deps, endedRequests, pluginId } = this.#options;
    endedRequests?.addJob(toEndedRequest(pluginId, ended, outcome, this.pool.models));
    deps.log.info("job.ended", toLogFields(pluginId, ended, outcome));
    this.#idle.check();
  }

  cancelJob(jobId: string): boolean {
    return this.pool.jobs.cancel(jobId);
  }

  endRequests(judge: (keyId: string) => Fault | undefined): void {
    this.pool.jobs.endOf(judge);
  }

  models(tenant?: string): readonly ModelCard[] {
    const all = this.#cards.all(tenant);
    return tenant === undefined ? all : all.filter(({ id }) => this.pool.models.isServedFor(id, tenant));
  }

  find(name: string, tenant?: string, workerId?: string): ModelCard | undefined {
    const demand = { model: name, workerId, exact: false, excluded: NONE_EXCLUDED, tenant };
    const id = this.pool.models.resolve(demand);
    return id === undefined ? undefined : this.#cards.all(tenant).find((card) => card.id === id);
  }

  /** Grows with every change that `state` would show. Values that change all the time count every few seconds. */
  get revision(): number {
    return this.pool.revision + this.#drift.revision;
  }

  /** Returns the figures of this moment. MUST be called once a second. */
  pulse(): Pulse {
    if (this.#ledger.look(this.pool.jobs.all())) this.#drift.output(this.#options.deps.clock.elapsed());
    this.coldCaches.look();
    this.#pasts.look();
    const { lastHeartbeatAt, ...pulse } = toPulse(this.pool, this.#ledger, this.#pasts.causes);
    this.#drift.look(lastHeartbeatAt);
    return pulse;
  }

  /** Returns the problems that only a plugin with a pool can have. */
  problems(): readonly Condition[] {
    const { config, deps } = this.#options;
    return findInArea(this.pool, this.coldCaches.current(), config.pingIntervalMs, momentOf(deps.clock));
  }

  /** Returns what the State API shows of this plugin: a plain copy. */
  state(): ModelAreaState {
    const { deps, version } = this.#options;
    const parts = {
      pool: this.pool,
      ledger: this.#ledger,
      cards: this.#cards,
      pasts: this.#pasts.models,
      coldCaches: this.coldCaches,
      restrictions: this.#restricted,
      version,
      isDraining: this.#isLeaving,
      startedAt: this.#startedAt,
      running: this.#running,
    };
    return toAreaState(parts, momentOf(deps.clock));
  }

  get #restricted(): readonly RestrictionState[] {
    return this.#restrictions.state((workerId) => this.pool.seatOf(workerId) !== undefined);
  }

  /** Tells the workers that another server is taking over. Everything goes on until `drain`. */
  handOver(): void {
    this.intake.handOver("another server is taking over", this.#hasSuccessor ? 0 : undefined);
  }

  /** Resolves when no request waits for a worker. */
  noneWaits(): Promise<void> {
    return this.pool.noneWaits();
  }

  /**
   * Refuses new workers, tells the connected ones to leave, and resolves when the last job has ended. Jobs that wait, or that
   * still arrive, go to workers of peers, and are refused where there are none.
   */
  async drain(): Promise<void> {
    this.#isLeaving = true;
    const hasSuccessor = this.#hasSuccessor;
    if (!hasSuccessor) this.#draining.abort();
    this.intake.drain("the server is shutting down", hasSuccessor ? 0 : undefined);
    // Workers that were told to leave take no new jobs, so no job could be served here.
    this.pool.refuseWaiting(drainingFault);
    await this.#idle.wait();
    await this.pool.idle();
  }

  /** Whether another server takes jobs and workers. */
  get #hasSuccessor(): boolean {
    return this.#options.cluster?.members.isAnyReady() ?? false;
  }

  close(): void {
    this.intake.close(CLOSES.server_restart);
  }
}
