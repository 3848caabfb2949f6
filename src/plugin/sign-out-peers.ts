import type { SignOutPeers } from "../auth/sign-out-sharing.ts";
import type { ClusterPorts } from "./cluster.ts";

/** How long another server may take to answer. */
const ANSWER_MS = 2000;

/** Lets servers tell each other of sign-outs. */
export function toSignOutPeers({ calls, members }: ClusterPorts): SignOutPeers {
  return {
    ids: () => members.ids(),
    onCame: (listener) => members.onCame(listener),
    answer: (kind, handler) => calls.answer(kind, handler),
    async ask(serverId, kind, body) {
      const result = await calls.ask(serverId, kind, body, ANSWER_MS);
      return result.kind === "answer" ? result.body : undefined;
    },
  };
}
