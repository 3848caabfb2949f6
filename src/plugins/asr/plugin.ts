import { ModelArea } from "../../models/model-area.ts";
import type { Plugin, PluginContext } from "../../plugin/contract.ts";
import { SpoolSpace } from "../../upload/spool-space.ts";
import { asrRoutes } from "./routes.ts";
import { renderAsrView } from "./view.tsx";

/** Transcription and translation of audio, served by workers that dial in. */
export function createAsrPlugin(context: PluginContext): Plugin {
  const { config, metrics } = context;
  const area = new ModelArea({ pluginId: "asr", ...context });
  const spoolSpace = new SpoolSpace(config.spoolDirectory, config.spoolBytes);
  metrics.gauge("moorage_spool_bytes", "Bytes of uploads that are held on disk.", [], () => [
    { labels: {}, value: spoolSpace.used },
  ]);
  metrics.gauge("moorage_spool_limit_bytes", "Bytes of uploads that may be held on disk.", [], () => [
    { labels: {}, value: config.spoolBytes },
  ]);
  return {
    id: "asr",
    routes: asrRoutes(area, spoolSpace, context),
    state: () => area.state(),
    revision: () => area.revision,
    pulse: () => area.pulse(),
    problems: () => area.problems(),
    view: renderAsrView,
    operator: area,
    models: () => area.models(),
    drain: () => area.drain(),
    close: () => area.close(),
  };
}
