import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import * as v from "valibot";
import { parseJson } from "../json/parse.ts";
import { isId } from "../wire/names.ts";

/** A worker that has joined a server, or is about to. It contains secrets. */
export interface KeptIdentity {
  /** The base URL of the server, as `httpUrl` returns it. A credential goes to no other one. */
  readonly server: string;
  readonly workerId: string;
  /** The public part of the join token: what identifies it, and not what makes it valid. */
  readonly tokenId: string;
  /** The worker's own key; undefined before the server has answered. */
  readonly credential?: string | undefined;
  /** The secret with which a trade can be repeated; undefined once there is a credential. */
  readonly proof?: string | undefined;
  /** The credential that the worker had before. It proves the worker's id, until the server ends it. */
  readonly former?: string | undefined;
}

/** Keeps the identities of one worker, one for each server that it has joined. Methods throw an `IdentityFault`. */
export interface IdentityFile {
  readonly path: string;
  /** Returns what is kept; undefined if there is no file. */
  read(): readonly KeptIdentity[] | undefined;
  /** Keeps an identity if there is no file yet. Returns false if there is one, which may be another process's. */
  create(identity: KeptIdentity): boolean;
  /** Keeps an identity in place of the one before at its server. Those at other servers stay. */
  write(identity: KeptIdentity): void;
}

/** What a worker is for, by which it finds its own file among those of several workers on one machine. */
export interface StateMark {
  /** Its kinds: `asr,llm`. */
  readonly kinds: string;
  /** A digest of its other settings. */
  readonly setup: string;
}

/** The most servers of one file. */
const MAX_SERVERS = 100;

/** The file of an identity cannot be used. The message says what to do, and contains no secret. */
export class IdentityFault extends Error {
  override readonly name = "IdentityFault";
}

const members = {
  worker_id: v.pipe(v.string(), v.check(isId)),
  token_id: v.string(),
  credential: v.optional(v.string()),
  proof: v.optional(v.string()),
  former: v.optional(v.string()),
};
const memberSchema = v.object(members);

/** The file. Version 1 had one server. */
const keptSchema = v.variant("version", [
  v.object({ version: v.literal(1), server: v.string(), ...members }),
  v.object({
    version: v.literal(2),
    servers: v.record(v.string(), memberSchema),
    used_by: v.fallback(v.optional(v.object({ kinds: v.string(), setup: v.string() })), undefined),
  }),
]);

function toKept(server: string, member: v.InferOutput<typeof memberSchema>): KeptIdentity {
  const { worker_id: workerId, token_id: tokenId, credential, proof, former } = member;
  return { server, workerId, tokenId, credential, proof, former };
}

/** What a file says: the identities, and which worker has used it last. */
export interface KeptState {
  readonly identities: readonly KeptIdentity[];
  readonly usedBy: StateMark | undefined;
}

/** Whether an identity is an id alone, of a worker without a key of its own. */
export function isIdAlone({ tokenId, credential, proof, former }: KeptIdentity): boolean {
  return tokenId === "" && (credential ?? proof ?? former) === undefined;
}

/** Returns a file that is none: what is written is gone with the process. */
export function memoryIdentityFile(path: string): IdentityFile {
  let kept: readonly KeptIdentity[] | undefined;
  return {
    path,
    read: () => kept,
    create(identity) {
      if (kept !== undefined) return false;
      kept = [identity];
      return true;
    },
    write(identity) {
      kept = [...(kept ?? []).filter(({ server }) => server !== identity.server), identity];
    },
  };
}

/**
 * Returns the file at a path. It is readable by its owner only, and replaced as a whole, so that a crash leaves either the
 * identities before or those after. `mark` says which worker uses it.
 */
export function identityFileAt(path: string, mark?: StateMark): IdentityFile {
  const temporary = `${path}.${process.pid}.tmp`;
  const prepare = (identities: readonly KeptIdentity[]): void => {
    const servers = Object.fromEntries(
      identities.map(({ server, workerId, tokenId, ...secrets }) => [
        server,
        { worker_id: workerId, token_id: tokenId, ...secrets },
      ]),
    );
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // One that a crash has left may have other permissions.
    rmSync(temporary, { force: true });
    const file = openSync(temporary, "wx", 0o600);
    try {
      writeSync(file, `${JSON.stringify({ version: 2, servers, used_by: mark }, undefined, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  };
  return {
    path,
    read: () => readStateAt(path)?.identities,
    create: (identity) =>
      writing(path, () => {
        prepare([identity]);
        try {
          // Unlike a rename, a link fails if the file is there.
          linkSync(temporary, path);
          rmSync(temporary);
          return true;
        } catch (error) {
          if (codeOf(error) === "EEXIST") {
            rmSync(temporary);
            return false;
          }
          // Some file systems have no links.
          renameSync(temporary, path);
          return true;
        }
      }),
    write: (identity) =>
      writing(path, () => {
        const others = (readStateAt(path)?.identities ?? []).filter(({ server }) => server !== identity.server);
        if (others.length >= MAX_SERVERS)
          throw new IdentityFault(`${path} has keys for ${MAX_SERVERS} servers already. Name another STATE_FILE.`);
        prepare([...others, identity]);
        renameSync(temporary, path);
      }),
  };
}

/** Reads the file at a path; undefined if there is none. Throws an `IdentityFault`. */
export function readStateAt(path: string): KeptState | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes(codeOf(error))) return undefined;
    throw new IdentityFault(
      `${path} cannot be read (${codeOf(error)}). Let the worker's user read it, or name another STATE_FILE.`,
    );
  }
  const read = v.safeParse(keptSchema, parseJson(text));
  if (!read.success)
    throw new IdentityFault(
      `${path} is not the state of a worker of this version. Name another STATE_FILE, or remove the file and join again.`,
    );
  const kept = read.output;
  if (kept.version === 1) return { identities: [toKept(kept.server, kept)], usedBy: undefined };
  const identities = Object.entries(kept.servers).map(([server, member]) => toKept(server, member));
  return { identities, usedBy: kept.used_by };
}

function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    if (error instanceof IdentityFault) throw error;
    throw new IdentityFault(
      `${path} cannot be written (${codeOf(error)}). Let the worker's user write it, or name another STATE_FILE.`,
    );
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
}
