import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type FileLock, lockFile } from "../system/file-lock.ts";
import {
  IdentityFault,
  type IdentityFile,
  identityFileAt,
  isIdAlone,
  type KeptState,
  readStateAt,
  type StateMark,
} from "./identity-file.ts";

export interface SlotOptions {
  /** The path of the first file. */
  readonly path: string;
  readonly mark: StateMark;
  /** The base URL of the server, as `httpUrl` returns it. */
  readonly server: string;
  /** What the worker brings to be let in: a join token, a client key, or nothing. */
  readonly brings: "token" | "client_key" | "nothing";
}

/** A file that no other worker uses until it is released. */
export interface TakenState {
  readonly file: IdentityFile;
  release(): void;
}

/** The most workers on one machine that keep their state for one server. */
export const MAX_SLOTS = 32;

/**
 * Takes the file of this worker among those for its server, of which each running worker has one. It is the one that a worker
 * like this one has used last, else one of the same kinds, else a new one. Returns undefined if all are taken. Throws an
 * `IdentityFault` if the place cannot be used.
 */
export function takeState(options: SlotOptions): TakenState | undefined {
  const { path, mark } = options;
  makeDirectory(path);
  for (const slot of ranked(options)) {
    const lock = lockSlot(slot);
    if (lock) return { file: identityFileAt(slot, mark), release: () => lock.release() };
  }
  return undefined;
}

function makeDirectory(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unusable(path, error);
  }
}

function lockSlot(path: string): FileLock | undefined {
  try {
    return lockFile(`${path}.lock`);
  } catch (error) {
    throw unusable(path, error);
  }
}

function unusable(path: string, error: unknown): IdentityFault {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
  return new IdentityFault(`${dirname(path)} cannot be written (${code})`);
}

/** Returns the paths of the files that this worker may use, the best first. */
function ranked(options: SlotOptions): readonly string[] {
  const all = Array.from({ length: MAX_SLOTS }, (_, index) => slotPath(options.path, index + 1));
  const places = all.flatMap((path) => {
    const rank = rankOf(path, options);
    return rank === undefined ? [] : [{ path, rank }];
  });
  return places.sort((one, other) => one.rank - other.rank).map(({ path }) => path);
}

/** Returns the path of one of the files, from 1. */
export function slotPath(path: string, number: number): string {
  return number === 1 ? path : path.replace(/(\.json)?$/, `-${number}$1`);
}

/** Returns how well a file fits; undefined for one that this worker must leave alone. */
function rankOf(path: string, { mark, server, brings }: SlotOptions): number | undefined {
  let state: KeptState | undefined;
  try {
    state = readStateAt(path);
  } catch {
    // It may be of a later version.
    return undefined;
  }
  if (state === undefined) return RANKS.free;
  const kept = state.identities.find((each) => each.server === server);
  const hasKey = kept !== undefined && !isIdAlone(kept);
  // The id of a worker that has joined belongs to its own key.
  if (hasKey && brings === "client_key") return undefined;
  const { usedBy } = state;
  if (usedBy?.kinds === mark.kinds) return usedBy.setup === mark.setup ? RANKS.own : RANKS.sameKinds;
  if (usedBy === undefined) return RANKS.unmarked;
  // A worker that is started with other kinds than before has nothing else to show.
  return hasKey && brings === "nothing" ? RANKS.otherKinds : undefined;
}

const RANKS = { own: 0, sameKinds: 1, unmarked: 2, otherKinds: 3, free: 4 } as const;
