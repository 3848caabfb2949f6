import { createModelPlugin } from "../../models/model-plugin.ts";
import { definePlugin } from "../../plugin/definition.ts";
import { AUDIO } from "./openapi.ts";
import { asrRoutes } from "./routes.ts";
import { asrSettings } from "./settings.ts";
import { ASR_SECTION } from "./view.tsx";

/** Transcription and translation of audio, served by workers that dial in. */
export const asrPlugin = definePlugin({
  id: "asr",
  settings: asrSettings,
  create: (context) =>
    createModelPlugin(context, {
      tag: AUDIO,
      modelType: "transcription",
      section: ASR_SECTION,
      routes: (area) => asrRoutes(area, context),
    }),
});
