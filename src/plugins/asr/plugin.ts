import { createModelPlugin } from "../../models/model-plugin.ts";
import type { Plugin, PluginContext } from "../../plugin/contract.ts";
import { SpoolSpace } from "../../upload/spool-space.ts";
import { AUDIO } from "./openapi.ts";
import { asrRoutes } from "./routes.ts";
import { renderAsrView } from "./view.tsx";

/** Transcription and translation of audio, served by workers that dial in. */
export function createAsrPlugin(context: PluginContext): Plugin {
  const { config, metrics } = context;
  const spoolSpace = new SpoolSpace(config.spoolDirectory, config.spoolBytes);
  metrics.gauge("moorage_spool_bytes", "Bytes of uploads that are held on disk.", [], () => [
    { labels: {}, value: spoolSpace.used },
  ]);
  metrics.gauge("moorage_spool_limit_bytes", "Bytes of uploads that may be held on disk.", [], () => [
    { labels: {}, value: config.spoolBytes },
  ]);
  return createModelPlugin(context, {
    id: "asr",
    tag: AUDIO,
    section: { label: "Speech", render: renderAsrView },
    routes: (area) => asrRoutes(area, spoolSpace, context),
  });
}
