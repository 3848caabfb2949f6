import { Fault } from "../errors.ts";
import { isRecord } from "../json/parse.ts";
import type { CallResult, ClusterPorts } from "../plugin/cluster.ts";
import type { Plugin } from "../plugin/contract.ts";
import type { Log } from "../system/deps.ts";
import { ACTIONS, type Action, carryOut } from "./actions.ts";

/** An operator's order to act on a worker or a job. */
export interface ActionOrder {
  readonly action: Action;
  readonly id: string;
  /** The plugins to act on: `targetsOf`. */
  readonly plugins: readonly Plugin[];
  /** The caller name of the operator. */
  readonly by: string;
  readonly requestId: string;
}

/** The outcome of an order. */
export interface ActionResult {
  /** The plugins that knew the id, on any server. */
  readonly plugins: readonly string[];
  /** The servers that have acted; undefined without a cluster. */
  readonly servers?: readonly string[];
  /** The servers that have not answered in time. */
  readonly unanswered?: readonly string[];
}

export interface ClusterActionsOptions {
  readonly cluster: Pick<ClusterPorts, "serverId" | "calls" | "members" | "workersOf">;
  readonly plugins: readonly Plugin[];
  readonly log: Log;
}

/** The kind of the question by which a server is told to act. */
const KIND = "act";
/** How long another server may take. */
const ANSWER_MS = 2000;
/** The longest id that is logged. */
export const MAX_LOGGED_ID_CHARS = 128;

/** The answer of one server. */
type Outcome =
  | { readonly kind: "done"; readonly plugins: readonly string[] }
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "absent" }
  | { readonly kind: "silent" };

/**
 * Operators' actions on the workers and jobs of all servers. A job is on the server that its id names. A worker is named by
 * its own id, and every server that knows it acts on it, so that a drain or a block holds wherever the worker connects.
 * `<server>~<id>` limits an action on a worker to one server.
 */
export class ClusterActions {
  readonly #options: ClusterActionsOptions;

  constructor(options: ClusterActionsOptions) {
    this.#options = options;
    options.cluster.calls.answer(KIND, (body, from) => this.#answer(body, from));
  }

  /** Carries an order out. Throws `server_not_answering` if the server that has the worker or the job has not answered. */
  async carryOut(order: ActionOrder): Promise<ActionResult> {
    const { cluster } = this.#options;
    const { action, id } = order;
    const separator = id.indexOf("~");
    const named = separator < 0 ? undefined : id.slice(0, separator);
    // A job's id contains its server's; a worker's does not.
    const target = action.target === "worker" && named !== undefined ? id.slice(separator + 1) : id;
    const isLimited = named !== undefined || action.target === "job";
    const servers = isLimited ? [named ?? cluster.serverId] : [cluster.serverId, ...cluster.members.ids()];
    const outcomes = new Map<string, Outcome>();
    await Promise.all(
      servers.map(async (server) => {
        outcomes.set(server, await this.#actAt(server, { ...order, id: target }));
      }),
    );
    return this.#sumUp(target, outcomes, isLimited);
  }

  #sumUp(id: string, outcomes: ReadonlyMap<string, Outcome>, isLimited: boolean): ActionResult {
    const plugins = new Set<string>();
    const [done, silent]: [string[], string[]] = [[], []];
    for (const [server, outcome] of outcomes) {
      if (outcome.kind === "refused") throw new Fault("invalid_request", { message: outcome.message });
      if (outcome.kind === "silent") silent.push(server);
      if (outcome.kind !== "done" || outcome.plugins.length === 0) continue;
      done.push(server);
      for (const plugin of outcome.plugins) plugins.add(plugin);
    }
    const awaited = silent.find((server) => isLimited || done.length === 0 || this.#has(server, id));
    if (awaited !== undefined) {
      const others = done.length > 0 ? ` These have acted: ${done.join(", ")}.` : "";
      const message = `The server '${awaited}' did not answer, so it is not known whether it has acted.${others} Try again.`;
      throw new Fault("server_not_answering", { message });
    }
    return { plugins: [...plugins], servers: done, unanswered: silent };
  }

  /** Whether a worker of this id is connected to the server, as far as is known here. */
  #has(server: string, id: string): boolean {
    const { cluster, plugins } = this.#options;
    return plugins.some((plugin) => plugin.workers && cluster.workersOf(plugin.id).serverOf(id) === server);
  }

  async #actAt(server: string, order: ActionOrder): Promise<Outcome> {
    const { cluster } = this.#options;
    const { action, id, plugins, by, requestId: request } = order;
    if (server === cluster.serverId) return { kind: "done", plugins: carryOut(action, plugins, id, by) };
    const { name, target } = action;
    const body = { action: name, target, id, plugins: plugins.map((plugin) => plugin.id), by, request };
    return toOutcome(await cluster.calls.ask(server, KIND, body, ANSWER_MS));
  }

  #answer(body: unknown, from: string): object {
    const asked = toAsked(body);
    if (!asked) throw new TypeError("not an order");
    const { action, id, plugins: named, by, request } = asked;
    const { log } = this.#options;
    const plugins = this.#options.plugins.filter((plugin) => named.includes(plugin.id));
    try {
      const done = carryOut(action, plugins, id, by);
      if (done.length > 0) {
        log.info("operator.action", {
          request,
          caller: by,
          asked_by: from,
          action: action.name,
          target: `${action.target} ${id.slice(0, MAX_LOGGED_ID_CHARS)}`,
          plugins: done.join(","),
          outcome: "done",
        });
      }
      return { plugins: done };
    } catch (error) {
      if (error instanceof Fault) return { refused: error.message };
      throw error;
    }
  }
}

function toOutcome(result: CallResult): Outcome {
  // A server that has left has no worker and no job any more.
  if (result.kind === "nobody") return { kind: "absent" };
  if (result.kind !== "answer" || !isRecord(result.body)) return { kind: "silent" };
  const { plugins, refused } = result.body;
  if (typeof refused === "string") return { kind: "refused", message: refused };
  if (!Array.isArray(plugins)) return { kind: "silent" };
  return { kind: "done", plugins: plugins.filter((plugin) => typeof plugin === "string") };
}

interface Asked {
  readonly action: Action;
  readonly id: string;
  readonly plugins: readonly unknown[];
  readonly by: string;
  readonly request: string;
}

function toAsked(value: unknown): Asked | undefined {
  if (!isRecord(value)) return undefined;
  const { id, plugins, by, request } = value;
  const action = ACTIONS.find(({ name, target }) => name === value["action"] && target === value["target"]);
  if (!action || typeof id !== "string" || typeof by !== "string" || typeof request !== "string") return undefined;
  return Array.isArray(plugins) ? { action, id, plugins, by, request } : undefined;
}
