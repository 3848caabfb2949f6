import type { AnyElysia } from "elysia";
import type { Visit } from "../../http/visit.ts";
import type { ModelArea } from "../../models/model-area.ts";
import type { PluginContext } from "../../plugin/contract.ts";
import { createRoutes } from "../../plugin/route-context.ts";
import { AUDIO_PATHS, type AudioPath, audioDetail } from "./openapi.ts";
import { serveAsr } from "./serve.ts";
import type { asrSettings } from "./settings.ts";

/** The base URLs of OpenAI's API; most clients add the second to a host that is given alone. */
const BASES = ["/api/asr/v1", "/v1"];

/** The routes that clients call. */
export function asrRoutes(area: ModelArea, context: PluginContext<typeof asrSettings>): AnyElysia {
  const { auth, config, deps } = context;
  const spoolSpace = context.spoolSpace();
  const serve = (visit: Visit, path: AudioPath): Promise<Response> => {
    const caller = auth.enter(visit, "api");
    return serveAsr(
      { area, config, deps, spoolSpace },
      { visit, caller, path: withSearch(path, visit.request), kind: path.slice(1).replace("/", ".") },
    );
  };

  const routes = createRoutes();
  for (const base of BASES) {
    for (const path of AUDIO_PATHS) {
      routes.post(`${base}${path}`, ({ visit }) => serve(visit, path), {
        parse: "none",
        detail: audioDetail(base, path),
      });
    }
  }
  return routes;
}

function withSearch(path: string, request: Request): string {
  const at = request.url.indexOf("?");
  return at < 0 ? path : path + request.url.slice(at);
}
