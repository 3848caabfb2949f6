import { readKeyText } from "../keys/key-text.ts";
import { isId } from "../wire/names.ts";
import { keptWithoutToken } from "../worker/identity.ts";
import { IdentityFault, type IdentityFile, type KeptIdentity } from "../worker/identity-file.ts";
import { httpUrl } from "../worker/server-url.ts";
import type { DoctorSettings } from "./args.ts";
import { bad, type Check, type Finding, good, skipped, warning } from "./check.ts";

/** The key that a worker on this machine has got for a join token, or its way to one. */
export type OwnKey =
  | { readonly kind: "none" }
  /** `workerId` is one that the key may register beside the worker's own, so that the doctor does not take the worker's place. */
  | { readonly kind: "kept"; readonly path: string; readonly credential: string; readonly workerId: string }
  /** There is a token, which the worker trades at its first registration. */
  | { readonly kind: "token"; readonly isWhole: boolean }
  | { readonly kind: "not_finished"; readonly path: string }
  | { readonly kind: "unusable"; readonly reason: string };

/**
 * Reads what a worker with these settings would show as its own key. Nothing is sent: a token can only be tried by using it.
 * A worker with a client key and without a token has no key of its own.
 */
export function readOwnKey(
  { server, clientKeys, joinToken, id }: Pick<DoctorSettings, "server" | "clientKeys" | "joinToken" | "id">,
  file: Pick<IdentityFile, "path" | "read">,
): OwnKey {
  const token: OwnKey =
    joinToken === undefined ? { kind: "none" } : { kind: "token", isWhole: readKeyText(joinToken).kind === "key" };
  if (joinToken === undefined && clientKeys.length > 0) return token;
  try {
    const found = keptIn(file, httpUrl(server), id, joinToken);
    if (found === undefined) return token;
    if (found === "not_finished") return joinToken === undefined ? { kind: "not_finished", path: file.path } : token;
    const workerId = `${found.workerId}.doctor`;
    // Without an id of its own, the doctor would take the place of the worker.
    if (!isId(workerId))
      return { kind: "unusable", reason: "The id of this worker is too long for a second one beside it." };
    return { kind: "kept", path: file.path, credential: found.credential, workerId };
  } catch (error) {
    if (!(error instanceof IdentityFault)) throw error;
    return { kind: "unusable", reason: error.message };
  }
}

/** With a token, a file for other servers or another id is no fault, because the worker joins anew. */
function keptIn(
  file: Pick<IdentityFile, "path" | "read">,
  server: string,
  id: string | undefined,
  joinToken: string | undefined,
): ReturnType<typeof keptWithoutToken> {
  const found = file.read();
  const isOwn = (kept: KeptIdentity): boolean => kept.server === server && (id === undefined || id === kept.workerId);
  return keptWithoutToken({ file, server, id }, joinToken === undefined ? found : found?.filter(isOwn));
}

/** Checks the state of a worker that joins, and the form of its token. None for other workers. */
export function ownKeyChecks(ownKey: OwnKey): readonly Check[] {
  if (ownKey.kind === "none") return [];
  return [
    { id: "own_key", title: "Worker's own key", needs: [], limitMs: 1000, run: () => Promise.resolve(judge(ownKey)) },
  ];
}

function judge(ownKey: OwnKey): Finding {
  switch (ownKey.kind) {
    case "none":
      return skipped("this worker does not join");
    case "kept":
      return good(`${ownKey.path} has a key for this server; no join token is needed`);
    case "token":
      return ownKey.isWhole
        ? good("the join token is whole; it is not tried, because that would use it")
        : bad(
            "the join token was mistyped: its last six characters do not match the rest",
            "Copy the whole token again.",
          );
    case "not_finished":
      return warning(
        `${ownKey.path} belongs to a worker whose join token was never answered`,
        "Start the worker with the same token again, as --join.",
      );
    case "unusable":
      return bad("the worker's own key cannot be used", ownKey.reason);
  }
}
