/** @jsxImportSource @kitajs/html */
import { modelSection } from "../../models/view.tsx";
import { renderTries } from "./try-view.tsx";

/** Language models on the dashboard. */
export const LLM_SECTION = modelSection({
  id: "llm",
  label: "Language models",
  kind: "LLM",
  renderTries,
});
