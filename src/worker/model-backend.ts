import type { Backend } from "../answering/opening.ts";
import { type BackendTarget, callBackend } from "./backend.ts";
import { routeJob } from "./route.ts";

/** A model server. `target` is asked anew for every job: the server may have moved. */
export function createModelBackend(target: () => BackendTarget | undefined): Backend {
  return {
    open(head) {
      const found = target();
      if (!found) return { kind: "refuse", code: "upstream_unreachable", message: "no model server has been found" };
      const route = routeJob(found.base, found.paths, head.path);
      if (route.kind === "outside")
        return { kind: "refuse", code: "protocol_error", message: "the path leads outside of the backend's base URL" };
      if (route.kind === "answer") return route;
      const { url } = route;
      return {
        kind: "ask",
        ask: (body, signal) => callBackend({ url, head, key: found.key, body, signal }),
        mayFallSilent: false,
      };
    },
  };
}
