import type { Config } from "../../config.ts";
import { duration, size } from "../../settings/kinds.ts";
import { setting, type Values } from "../../settings/setting.ts";

/** The settings that only this plugin has. */
export const asrSettings = {
  asrRequestTimeoutMs: setting(duration("1s", "24h"), {
    variable: "ASR_REQUEST_TIMEOUT",
    place: { after: "REQUEST_TIMEOUT" },
    // A backend may be silent until the transcription is done, and an hour of audio takes minutes.
    default: "30m",
    help: "REQUEST_TIMEOUT for audio jobs.",
  }),
  maxAudioBodyBytes: setting(size("1KiB", "1TiB"), {
    variable: "MAX_AUDIO_BODY_BYTES",
    place: { after: "MAX_BODY_BYTES" },
    default: "2GiB",
    help: "Largest audio upload; a larger one gets 413.",
  }),
  asrReplayBytes: setting(size("0B", "1TiB"), {
    variable: "ASR_REPLAY_BYTES",
    // Two hours of uncompressed speech. Writing more to disk costs as much processor time again as passing it on.
    default: "256MiB",
    help: "Part of a streaming audio upload that is kept, so that it can be sent to another worker if the first one is lost.",
  }),
};

export type AsrConfig = Config & Values<typeof asrSettings>;
