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
  /** The credential that the worker had before; it proves the worker's id until there is another one. */
  readonly former?: string | undefined;
}

/** Keeps the identity of one worker at one server. Methods throw an `IdentityFault`. */
export interface IdentityFile {
  readonly path: string;
  /** Returns what is kept; undefined if nothing is. */
  read(): KeptIdentity | undefined;
  /** Keeps an identity if none is kept yet. Returns false if one is, which may be another process's. */
  create(identity: KeptIdentity): boolean;
  /** Keeps an identity in place of the one before. */
  write(identity: KeptIdentity): void;
}

/** The file of an identity cannot be used. The message says what to do, and contains no secret. */
export class IdentityFault extends Error {
  override readonly name = "IdentityFault";
}

const keptSchema = v.pipe(
  v.object({
    version: v.literal(1),
    server: v.string(),
    worker_id: v.pipe(v.string(), v.check(isId)),
    token_id: v.string(),
    credential: v.optional(v.string()),
    proof: v.optional(v.string()),
    former: v.optional(v.string()),
  }),
  v.transform(({ server, worker_id, token_id, credential, proof, former }): KeptIdentity => {
    return { server, workerId: worker_id, tokenId: token_id, credential, proof, former };
  }),
);

/**
 * Returns the file at a path. It is readable by its owner only, and replaced as a whole, so that a crash leaves either the
 * identity before or the one after.
 */
export function identityFileAt(path: string): IdentityFile {
  const temporary = `${path}.${process.pid}.tmp`;
  const prepare = ({ server, workerId, tokenId, ...secrets }: KeptIdentity): void => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // One that a crash has left may have other permissions.
    rmSync(temporary, { force: true });
    const file = openSync(temporary, "wx", 0o600);
    try {
      const kept = { version: 1, server, worker_id: workerId, token_id: tokenId, ...secrets };
      writeSync(file, `${JSON.stringify(kept, undefined, 2)}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  };
  return {
    path,
    read() {
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
      if (read.success) return read.output;
      throw new IdentityFault(
        `${path} is not the state of a worker of this version. Name another STATE_FILE, or remove the file and join again.`,
      );
    },
    create: (identity) =>
      writing(path, () => {
        prepare(identity);
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
        prepare(identity);
        renameSync(temporary, path);
      }),
  };
}

function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw new IdentityFault(
      `${path} cannot be written (${codeOf(error)}). Let the worker's user write it, or name another STATE_FILE.`,
    );
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
}
