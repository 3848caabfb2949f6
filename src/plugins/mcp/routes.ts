import type { AnyElysia } from "elysia";
import { Fault } from "../../errors.ts";
import { createRoutes, type RouteContext } from "../../http/route-context.ts";
import { workerRoutes } from "../../http/worker-routes.ts";
import type { PluginContext } from "../../plugin.ts";
import { callDetail } from "./openapi.ts";
import { type McpPorts, serveMcp } from "./serve.ts";

/** A relay's public URL, and the form of it whose end tells clients what it is. */
const BASE = "/api/mcp/id/:relay_id";
const PATHS = [BASE, `${BASE}/*`];

/** The plugin's routes: where relays connect, and what MCP clients call. No key is asked for: the bearer is the relay's. */
export function mcpRoutes(ports: McpPorts, context: PluginContext): AnyElysia {
  const serve = ({ request, requestId, params }: RouteContext): Promise<Response> =>
    serveMcp(ports, {
      request,
      requestId,
      relayId: params?.["relay_id"] ?? "",
      path: pathOf(params?.["*"] ?? "", request.url),
    });
  const routes = createRoutes().use(workerRoutes("mcp", ports.area, context));
  for (const path of PATHS) {
    const isHidden = path !== BASE;
    routes
      .post(path, ({ request, requestId, params }) => serve({ request, requestId, params }), {
        parse: "none",
        detail: isHidden ? HIDDEN : callDetail("post"),
      })
      .get(path, ({ request, requestId, params }) => serve({ request, requestId, params }), {
        detail: isHidden ? HIDDEN : callDetail("get"),
      })
      .delete(path, ({ request, requestId, params }) => serve({ request, requestId, params }), {
        parse: "none",
        detail: isHidden ? HIDDEN : callDetail("delete"),
      })
      // A HEAD is no MCP; answered by the route for GET it would open a stream that nobody reads.
      .head(path, notAllowed, { detail: HIDDEN });
  }
  return routes;
}

const HIDDEN = { hide: true };

function notAllowed(): never {
  throw new Fault("method_not_allowed", { headers: { allow: "GET, POST, DELETE, OPTIONS" } });
}

/** Segments of a path that is passed on: what URLs hold, and no way up or out. */
const SEGMENT = /^[A-Za-z0-9._~:@!$&'()*+,;=%-]+$/;

/** Below the relay's URL, with the query. `/mcp` is a name for the URL itself, by which some clients know what it is. */
function pathOf(rest: string, url: string): string {
  const segments = rest.split("/").filter((segment) => segment !== "");
  const isSafe = segments.every(
    (segment) => SEGMENT.test(segment) && !/^\.{1,2}$/.test(segment) && !/%(?:2[ef5]|5c|00)/i.test(segment),
  );
  if (!isSafe) throw new Fault("unknown_url");
  const path =
    segments.length === 0 || (segments.length === 1 && segments[0] === "mcp") ? "" : `/${segments.join("/")}`;
  const query = url.indexOf("?");
  return query < 0 ? path : `${path === "" ? "/" : path}${url.slice(query)}`;
}
