import { toBackendUrl } from "./backend-url.ts";

/** Where jobs go on a server whose paths are not those of OpenAI's API. */
export interface PathMap {
  /** By a job's path without its query: the whole URL. */
  readonly urls: ReadonlyMap<string, string>;
  /** What a client is told that asks for any other path. */
  readonly otherwise: string;
}

/** What becomes of a job. */
export type Route =
  | { readonly kind: "ask"; readonly url: string }
  /** The worker answers in the backend's place, with JSON in the form of OpenAI's errors. */
  | { readonly kind: "answer"; readonly status: number; readonly body: object }
  /** The path leads outside of the backend's base URL. */
  | { readonly kind: "outside" };

/** Decides where a job's path leads. Nothing is reached but what lies under `base`, or what `paths` names. */
export function routeJob(base: string, paths: PathMap | undefined, path: string): Route {
  const url = toBackendUrl(base, path);
  if (url === undefined) return { kind: "outside" };
  if (!paths) return { kind: "ask", url };
  const at = path.indexOf("?");
  const own = paths.urls.get(at < 0 ? path : path.slice(0, at));
  if (own !== undefined) return { kind: "ask", url: at < 0 ? own : own + path.slice(at) };
  const error = { message: paths.otherwise, type: "invalid_request_error", param: null, code: "unsupported_path" };
  return { kind: "answer", status: 400, body: { error } };
}
