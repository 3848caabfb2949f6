import type { Deps } from "../system/deps.ts";
import type { WorkerSettings } from "./args.ts";
import { WorkerIdentity } from "./identity.ts";
import { IdentityFault, type IdentityFile, identityFileAt, memoryIdentityFile } from "./identity-file.ts";
import { KeptId } from "./kept-id.ts";
import { httpUrl } from "./server-url.ts";
import { markOf } from "./state-mark.ts";
import { type TakenState, takeState } from "./state-slots.ts";

/** What a worker keeps over restarts. */
export interface WorkerState {
  /** The key and the id of a worker that joins or has joined. */
  readonly identity: WorkerIdentity | undefined;
  /** The id of one that has not; undefined if the operator chose it, or nothing can be kept. */
  readonly keptId: KeptId | undefined;
  /** Lets another process use the file. */
  release(): void;
}

/**
 * Opens what a worker keeps. In the usual place, each worker of the machine has a file of its own, and a place that cannot be used
 * is no reason not to serve. Throws an `IdentityFault` if STATE_FILE cannot be used and is needed.
 */
export function openState(settings: WorkerSettings, deps: Deps): WorkerState {
  const { joinToken, stateFile, clientKeys } = settings;
  if (stateFile === undefined) return withoutFile(settings, deps, undefined);
  if (settings.isStateFileNamed)
    return inFile(settings, deps, { file: identityFileAt(stateFile, markOf(settings)), release: () => {} });
  const brings = joinToken !== undefined ? "token" : clientKeys.length > 0 ? "client_key" : "nothing";
  let taken: TakenState | undefined;
  try {
    taken = takeState({ path: stateFile, mark: markOf(settings), server: httpUrl(settings.server), brings });
  } catch (error) {
    if (!(error instanceof IdentityFault)) throw error;
    return withoutFile(settings, deps, error.message);
  }
  if (taken === undefined) return withoutFile(settings, deps, "all files for workers of this server are in use");
  try {
    return inFile(settings, deps, taken);
  } catch (error) {
    taken.release();
    if (!(error instanceof IdentityFault) || brings === "nothing") throw error;
    return withoutFile(settings, deps, error.message);
  }
}

function inFile(settings: WorkerSettings, deps: Deps, { file, release }: TakenState): WorkerState {
  const identity = openIdentity(settings, deps, file);
  return { identity, keptId: identity ? undefined : openId(settings, deps, file), release };
}

/** Without a place, a worker that joins has its key until it ends. */
function withoutFile(settings: WorkerSettings, deps: Deps, reason: string | undefined): WorkerState {
  const joins = settings.joinToken !== undefined;
  if (reason !== undefined)
    deps.log.warn("worker.state_not_kept", {
      reason,
      hint: joins
        ? "the worker's own key is gone when it ends, and the next start needs the join token again: set STATE_FILE to a file that can be written"
        : "the worker has another id after each restart: set STATE_FILE to a file that can be written, or to none",
    });
  const identity = joins ? openIdentity(settings, deps, memoryIdentityFile("this process")) : undefined;
  return { identity, keptId: undefined, release: () => {} };
}

/** Opens the identity of a worker that joins or has joined. One with a client key and no join token does neither. */
function openIdentity(settings: WorkerSettings, { log, ids }: Deps, file: IdentityFile): WorkerIdentity | undefined {
  const { joinToken, clientKeys, server, id, relays } = settings;
  if (joinToken === undefined && clientKeys.length > 0) return undefined;
  return WorkerIdentity.open({
    file,
    server: httpUrl(server),
    joinToken,
    id,
    otherIds: relays.flatMap((relay) => relay.id ?? []),
    clientKey: clientKeys[0],
    newId: () => ids.secret(),
    log,
  });
}

function openId(settings: WorkerSettings, { log, ids }: Deps, file: IdentityFile): KeptId | undefined {
  if (settings.id !== undefined) return undefined;
  try {
    return KeptId.open({ file, server: httpUrl(settings.server), newId: () => ids.secret(), log });
  } catch (error) {
    if (!(error instanceof IdentityFault)) throw error;
    log.warn("worker.state_not_kept", { reason: error.message });
    return undefined;
  }
}
