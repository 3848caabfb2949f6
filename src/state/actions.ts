import type { Plugin } from "../plugin/contract.ts";

export type Target = "worker" | "job";

export interface Action {
  readonly name: string;
  readonly target: Target;
  readonly summary: string;
  readonly description: string;
  /**
   * Acts on the plugin, for the operator of this caller name. Returns false for an id that the plugin does not know, or a
   * plugin that has no such target.
   */
  readonly act: (plugin: Plugin, id: string, by: string) => boolean;
  /** Whether an id that no plugin knows is acted on in every plugin. */
  readonly isForUnknown?: boolean;
}

export const ACTIONS: readonly Action[] = [
  {
    name: "drain",
    target: "worker",
    summary: "Give a worker no more jobs",
    description:
      "Running jobs continue. The drain lasts until it is cancelled, also while the worker is away, and with `DATA_DIR` over a restart of the server.",
    act: ({ workers }, id, by) => workers?.drainWorker(id, true, by) ?? false,
  },
  {
    name: "undrain",
    target: "worker",
    summary: "Give a worker jobs again",
    description: "Cancels a drain. A worker that was not drained does not change.",
    act: ({ workers }, id, by) => workers?.drainWorker(id, false, by) ?? false,
  },
  {
    name: "block",
    target: "worker",
    summary: "Keep a worker from connecting",
    description:
      "Its connection is closed, and a worker of this id is refused until the block is lifted, with `DATA_DIR` over a restart of the server as well. The worker need not be connected. If no plugin knows the id, it is blocked in all of them.",
    act: ({ workers }, id, by) => workers?.blockWorker(id, true, by) ?? false,
    isForUnknown: true,
  },
  {
    name: "unblock",
    target: "worker",
    summary: "Let a blocked worker connect again",
    description: "The worker comes back by itself, a minute later at most.",
    act: ({ workers }, id, by) => workers?.blockWorker(id, false, by) ?? false,
  },
  {
    name: "disconnect",
    target: "worker",
    summary: "Close a worker's connection",
    description: "Its running jobs are lost, or repeated by another worker. The worker may reconnect by itself.",
    act: ({ workers }, id) => workers?.disconnectWorker(id) ?? false,
  },
  {
    name: "cancel",
    target: "job",
    summary: "Cancel a job",
    description: "The client gets the error `canceled_by_operator`, and the worker is asked to stop.",
    act: ({ jobs }, id) => jobs?.cancelJob(id) ?? false,
  },
];

/**
 * Carries an action out in those of the plugins that know the id, for the operator of this caller name. A block needs no
 * such knowledge: see `targetsOf`. Returns the ids of the plugins that have acted, none if the id is not known. Throws `invalid_request` if a plugin has too many restrictions.
 */
export function carryOut(action: Action, plugins: readonly Plugin[], id: string, by: string): readonly string[] {
  return plugins.filter((plugin) => action.act(plugin, id, by)).map((plugin) => plugin.id);
}

/** Returns the plugins to carry an action out in. One worker may serve several plugins under one id. */
export function targetsOf(action: Action, plugins: readonly Plugin[], id: string): readonly Plugin[] {
  if (!action.isForUnknown) return plugins;
  const knowing = plugins.filter(({ workers }) => workers?.knowsWorker(id));
  return knowing.length > 0 ? knowing : plugins;
}
