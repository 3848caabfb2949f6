import { aliasKey } from "../../src/pool/alias.ts";
import type {
  PeerRequest,
  RemoteChoice,
  RemoteGroup,
  RemoteModels,
  RemoteNeeds,
  RemoteQueue,
  RemoteSlot,
} from "../../src/pool/remotes.ts";
import type { Work } from "../../src/pool/seat.ts";
import type { Ticket } from "../../src/pool/ticket.ts";
import type { ExchangeSink } from "../../src/tunnel/exchange.ts";
import type { ModelInfo } from "../../src/wire/model-info.ts";
import { HTTP_KIND } from "../../src/wire/names.ts";
import { FakeClock } from "./fake-clock.ts";
import { ScriptedExchange } from "./scripted-session.ts";

/** A worker of a scripted peer. */
export interface RemoteWorker {
  readonly server: string;
  readonly id: string;
  readonly sessionId: string;
  models: readonly string[];
  slots: number;
  /** Held slots, as the peer told them last. */
  told: number;
  sentAs?: string;
  hostInfo?: RemoteGroup["hostInfo"];
  embeddingBatchSize?: number;
  kinds?: readonly string[];
}

/** A request that reached a scripted peer. */
export interface PeerExchange {
  readonly server: string;
  readonly group: RemoteGroup;
  readonly sent: PeerRequest;
  readonly exchange: ScriptedExchange;
  readonly works: Work[];
  readonly outputs: number[];
  /** How the slot was given back; undefined while it is held. */
  ending: "released" | "refused" | undefined;
}

/** The other servers of a cluster, played by a test. What they tell of their load changes only when the test says so. */
export class ScriptedRemotes implements RemoteModels, RemoteQueue {
  readonly workers: RemoteWorker[] = [];
  readonly exchanges: PeerExchange[] = [];
  readonly wanted = new Set<Ticket>();
  readonly firstSeen = new Map<string, number>();
  /** Names that are known although nobody serves them now. */
  readonly remembered = { models: new Set<string>(), workers: new Set<string>() };
  isSettled = true;
  offersRevision = 0;
  readonly #clock: FakeClock;
  /** Slots that were taken here and that the peers have not told of, by server and model. */
  readonly #held = new Map<string, number>();

  constructor(clock = new FakeClock()) {
    this.#clock = clock;
  }

  /** Connects a worker to a peer. */
  add(server: string, id: string, models: readonly string[], slots = 1): RemoteWorker {
    const worker = { server, id, sessionId: `${server}~${id}`, models, slots, told: 0 };
    this.workers.push(worker);
    this.offersRevision += 1;
    return worker;
  }

  /** Takes a worker away. */
  remove(worker: RemoteWorker): void {
    this.workers.splice(this.workers.indexOf(worker), 1);
    this.offersRevision += 1;
  }

  /** The last request that reached a peer. */
  get last(): PeerExchange {
    const last = this.exchanges.at(-1);
    if (!last) throw new Error("no request has reached a peer");
    return last;
  }

  choose(model: string, needs: RemoteNeeds): RemoteChoice | undefined {
    const free = new Map<string, number>();
    for (const { server, slots, told } of this.#able(model, needs))
      free.set(server, (free.get(server) ?? -(this.#held.get(keyOf(server, model)) ?? 0)) + slots - told);
    const [best] = [...free].filter(([, slots]) => slots > 0).sort(([, a], [, b]) => b - a);
    return best && this.choiceOf(best[0], model);
  }

  /** Makes a choice of a peer, as one that offers a slot does. */
  choiceOf(server: string, model: string): RemoteChoice {
    const worker = this.workers.find((each) => each.server === server && each.models.includes(model));
    const group: RemoteGroup = {
      model,
      sentAs: worker?.sentAs,
      hostInfo: worker?.hostInfo ?? {},
      embeddingBatchSize: worker?.embeddingBatchSize,
      isLoaded: true,
      isKeptAlive: false,
    };
    return { server, group, hold: () => this.#hold(server, group) };
  }

  #hold(server: string, group: RemoteGroup): RemoteSlot {
    const key = keyOf(server, group.model);
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    let sent: PeerExchange | undefined;
    const giveBack = (ending: "released" | "refused"): void => {
      if (sent?.ending) throw new Error("a slot was given back twice");
      if (sent) sent.ending = ending;
      this.#held.set(key, (this.#held.get(key) ?? 0) - 1);
      if (ending === "refused") this.#fill(server, group.model);
    };
    return {
      open: (request: PeerRequest, sink: ExchangeSink) => {
        const exchange = new ScriptedExchange(request.request, sink, this.#clock);
        sent = { server, group, sent: request, exchange, works: [], outputs: [], ending: undefined };
        this.exchanges.push(sent);
        return exchange;
      },
      progress: (output) => void sent?.outputs.push(output),
      count: (work) => void sent?.works.push(work),
      release: () => giveBack("released"),
      refuse: () => giveBack("refused"),
    };
  }

  /** Notes that no worker of a peer has a free slot, as the peer has just said. */
  #fill(server: string, model: string): void {
    for (const worker of this.workers)
      if (worker.server === server && worker.models.includes(model)) worker.told = worker.slots;
  }

  isReady(model: string, needs: RemoteNeeds): boolean {
    return this.#able(model, needs).length > 0;
  }

  loadOf(model: string, needs: RemoteNeeds): { readonly busy: number; readonly slots: number } {
    let [busy, slots] = [0, 0];
    for (const worker of this.#able(model, needs)) {
      busy += worker.told;
      slots += worker.slots;
    }
    return { busy, slots };
  }

  infosOf(): readonly ModelInfo[] {
    return [];
  }

  workersOf(model: string): number {
    return this.workers.filter(({ models }) => models.includes(model)).length;
  }

  modelsOf(alias: string): Iterable<string> {
    return this.servedModels().filter((model) => aliasKey(model) === alias);
  }

  servedModels(): string[] {
    return [...new Set(this.workers.flatMap(({ models, slots }) => (slots > 0 ? models : [])))];
  }

  knownModels(): string[] {
    return [...new Set([...this.workers.flatMap(({ models }) => models), ...this.remembered.models])];
  }

  isKnownModel(model: string): boolean {
    return this.knownModels().includes(model);
  }

  isKnownAlias(alias: string): boolean {
    return this.knownModels().some((model) => aliasKey(model) === alias);
  }

  isKnownWorker(workerId: string): boolean {
    return this.serverOf(workerId) !== undefined || this.remembered.workers.has(workerId);
  }

  serverOf(workerId: string): string | undefined {
    return this.workers.find(({ id }) => id === workerId)?.server;
  }

  firstSeenAt(model: string): number | undefined {
    return this.firstSeen.get(model);
  }

  get size(): number {
    return this.workers.length;
  }

  sizeFor(): number {
    return this.size;
  }

  readonly isDivided = false;

  want(ticket: Ticket): void {
    this.wanted.add(ticket);
  }

  unwant(ticket: Ticket): void {
    this.wanted.delete(ticket);
  }

  ahead(_: Ticket): number {
    return 0;
  }

  #able(model: string, needs: RemoteNeeds): RemoteWorker[] {
    const { excluded, exchangeKind = HTTP_KIND, workerId } = needs;
    return this.workers.filter(({ id, sessionId, models, slots, kinds = [HTTP_KIND] }) => {
      if (needs.sessionId !== undefined && needs.sessionId !== sessionId) return false;
      if (slots === 0 || !models.includes(model) || !kinds.includes(exchangeKind)) return false;
      if (workerId !== undefined && workerId !== id) return false;
      return !excluded.sessions.has(sessionId) && !excluded.workers.has(id);
    });
  }
}

function keyOf(server: string, model: string): string {
  return `${server} ${model}`;
}
