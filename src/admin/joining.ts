import type { Audit } from "../audit/audit.ts";
import { JoinDesk } from "../keys/join-desk.ts";
import { callerName } from "../keys/key-caller.ts";
import type { KeyWriter } from "../keys/key-writer.ts";
import type { OpenedKeys } from "../keys/open-keys.ts";
import type { Deps } from "../system/deps.ts";

export interface JoiningOptions extends Pick<Deps, "clock" | "log"> {
  readonly keys: OpenedKeys;
  /** Not asked before the first trade. */
  readonly writer: () => KeyWriter | undefined;
  readonly audit: Audit;
  /** Whether something could not be written, so that a key might be lost at a restart. */
  readonly isFailing: () => boolean;
}

/**
 * Creates the desk at which workers trade join tokens. Each trade is logged and written down for operators, and so is the end of
 * each key that a trade has replaced.
 */
export function createJoinDesk({ keys, writer, audit, isFailing, clock, log }: JoiningOptions): JoinDesk {
  return new JoinDesk({
    book: keys.book,
    writer,
    clock,
    log,
    isKept: () => keys.isKept,
    isFailing,
    onJoined({ token, key, address }) {
      const who = callerName(token);
      log.info("worker.joined", { worker: key.workerId, key: key.id, token: token.id, address });
      const detail = { name: key.name, token: token.id, ...(key.workerId !== undefined && { worker: key.workerId }) };
      audit.note({ who, address, what: "worker.join", about: key.id, detail });
    },
    onReplaced({ former, key }) {
      log.info("worker.key_replaced", { worker: key.workerId, key: key.id, former: former.id });
      const detail = { name: former.name, replaced_by: key.id };
      audit.note({ who: callerName(key), what: "key.revoke", about: former.id, detail });
    },
  });
}
