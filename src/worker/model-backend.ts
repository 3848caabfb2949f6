import type { Backend } from "../answering/opening.ts";
import { type BackendTarget, callBackend, toFetchedAnswer } from "./backend.ts";
import { withoutBillingLine } from "./billing-body.ts";
import { callMetered } from "./metered-call.ts";
import { routeJob } from "./route.ts";
import { UsageAsking } from "./usage-asking.ts";

export interface ModelBackendOptions {
  /** Returns the model server. It is looked up again for every job, since the server may have moved. */
  readonly target: () => BackendTarget | undefined;
  /** Called for each job that is sent there. */
  readonly onJob: () => void;
  /** Whether Claude Code's billing line is left out of prompts. */
  readonly dropsBillingLine: boolean;
}

/** Serves jobs with a model server. */
export function createModelBackend({ target, onJob, dropsBillingLine }: ModelBackendOptions): Backend {
  const asking = new UsageAsking();
  return {
    open(head) {
      const found = target();
      if (!found) return { kind: "refuse", code: "upstream_unreachable", message: "no model server has been found" };
      const route = routeJob(found.base, found.paths, head.path, head.stream === true);
      if (route.kind === "outside")
        return { kind: "refuse", code: "protocol_error", message: "the path leads outside the backend's base URL" };
      if (route.kind === "answer") return route;
      const { url } = route;
      onJob();
      return {
        kind: "ask",
        // The model server may have read a request whose connection broke, and then works on it twice. That costs time and
        // nothing else, because inference leaves no trace, and a client would repeat the request after a 502 anyway.
        ask: async (sent, signal) => {
          const { path } = head;
          const { body, metered } = dropsBillingLine
            ? await withoutBillingLine(sent, head)
            : { body: sent, metered: head.metered };
          const request = { url, head, key: found.key, proxy: found.proxy, body, signal, isRepeatable: true };
          const decision = metered ? asking.decide(found, path) : "no";
          if (metered && decision !== "no")
            return callMetered(request, metered, {
              isTry: decision === "try",
              note: (takesIt) => asking.note(found, takesIt),
            });
          return toFetchedAnswer(await callBackend(request), path);
        },
        mayFallSilent: false,
      };
    },
  };
}
