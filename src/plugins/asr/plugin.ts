import { createModelPlugin } from "../../models/model-plugin.ts";
import { definePlugin } from "../../plugin/definition.ts";
import { SpoolSpace } from "../../upload/spool-space.ts";
import { AUDIO } from "./openapi.ts";
import { asrRoutes } from "./routes.ts";
import { asrSettings } from "./settings.ts";
import { renderAsrView } from "./view.tsx";

/** Transcription and translation of audio, served by workers that dial in. */
export const asrPlugin = definePlugin({
  id: "asr",
  settings: asrSettings,
  create(context) {
    const { config, metrics } = context;
    const spoolSpace = new SpoolSpace(config.spoolDirectory, config.spoolBytes);
    metrics.gauge("moorage_spool_bytes", "Bytes of uploads that are held on disk.", [], () => [
      { labels: {}, value: spoolSpace.used },
    ]);
    metrics.gauge("moorage_spool_limit_bytes", "Bytes of uploads that may be held on disk.", [], () => [
      { labels: {}, value: config.spoolBytes },
    ]);
    return createModelPlugin(context, {
      tag: AUDIO,
      section: { label: "Speech", render: renderAsrView },
      routes: (area) => asrRoutes(area, spoolSpace, context),
    });
  },
});
