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
  v.object({ version: v.literal(2), servers: v.record(v.string(), memberSchema) }),
]);

function toKept(server: string, member: v.InferOutput<typeof memberSchema>): KeptIdentity {
  const { worker_id: workerId, token_id: tokenId, credential, proof, former } = member;
  return { server, workerId, tokenId, credential, proof, former };
}

/**
 * Returns the file at a path. It is readable by its owner only, and replaced as a whole, so that a crash leaves either the
 * identities before or those after.
 */
export function identityFileAt(path: string): IdentityFile {
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
      writeSync(file, `${JSON.stringify({ version: 2, servers }, undefined, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  };
  return {
    path,
    read: () => readAt(path),
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
        const others = (readAt(path) ?? []).filter(({ server }) => server !== identity.server);
        if (others.length >= MAX_SERVERS)
          throw new IdentityFault(`${path} has keys for ${MAX_SERVERS} servers already. Name another STATE_FILE.`);
        prepare([...others, identity]);
        renameSync(temporary, path);
      }),
  };
}

function readAt(path: string): readonly KeptIdentity[] | undefined {
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
  if (kept.version === 1) return [toKept(kept.server, kept)];
  return Object.entries(kept.servers).map(([server, member]) => toKept(server, member));
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
