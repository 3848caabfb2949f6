import { toBackendUrl } from "./backend-url.ts";

/** The URLs of jobs on a server whose paths are not those of OpenAI's API. */
export interface PathMap {
  /** The whole URL by a job's path without its query. */
  readonly urls: ReadonlyMap<string, string>;
  /** The error message for any other path. */
  readonly otherwise: string;
  /** The error message for a job that asks for an event stream; undefined for a server that can stream. */
  readonly noStream?: string;
}

/** What happens to a job. */
export type Route =
  | { readonly kind: "ask"; readonly url: string }
  /** The worker itself answers, with JSON in the form of OpenAI's errors. */
  | { readonly kind: "answer"; readonly status: number; readonly body: object }
  /** The path leads outside the backend's base URL. */
  | { readonly kind: "outside" };

/** Decides where a job's path leads. It reaches nothing but what is under `base` or named by `paths`. */
export function routeJob(base: string, paths: PathMap | undefined, path: string, isStream = false): Route {
  const url = toBackendUrl(base, path);
  if (url === undefined) return { kind: "outside" };
  if (!paths) return { kind: "ask", url };
  const at = path.indexOf("?");
  const own = paths.urls.get(at < 0 ? path : path.slice(0, at));
  if (own === undefined) return refuse(paths.otherwise, null, "unsupported_path");
  // Such a server would answer in one piece, in which a client that waits for events finds none.
  if (isStream && paths.noStream !== undefined) return refuse(paths.noStream, "stream", "unsupported_parameter");
  return { kind: "ask", url: at < 0 ? own : own + path.slice(at) };
}

function refuse(message: string, param: string | null, code: string): Route {
  return { kind: "answer", status: 400, body: { error: { message, type: "invalid_request_error", param, code } } };
}
