/** @jsxImportSource @kitajs/html */
import { modelSection } from "../../models/view.tsx";
import type { WorkColumn } from "../../models/worker-table.tsx";
import { renderTries } from "./try-view.tsx";

const AUDIO_HEARD: WorkColumn = {
  label: "Audio",
  sortBy: "audio_seconds_total",
  text: "$format.duration(row.audio_seconds_total * 1000)",
};

/** Speech to text on the dashboard. */
export const ASR_SECTION = modelSection({
  id: "asr",
  label: "Speech to text",
  kind: "Speech",
  work: AUDIO_HEARD,
  renderTries,
});
