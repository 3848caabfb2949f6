import type { Backend } from "../answering/opening.ts";
import { type BackendTarget, callBackend, toFetchedAnswer } from "./backend.ts";
import { callMetered } from "./metered-call.ts";
import { routeJob } from "./route.ts";
import { UsageAsking } from "./usage-asking.ts";

/**
 * Serves jobs with a model server. `target` is looked up again for every job, since the server may have moved. `onJob` is
 * called for each job that is sent there.
 */
export function createModelBackend(target: () => BackendTarget | undefined, onJob: () => void): Backend {
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
        ask: async (body, signal) => {
          const request = { url, head, key: found.key, proxy: found.proxy, body, signal, isRepeatable: true };
          const { metered, path } = head;
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
