/** @jsxImportSource @kitajs/html */
import { TryChat, TryEmbed } from "../../../views/parts/try-models.tsx";
import { PoolView } from "../../models/view.tsx";

/** The dashboard's section on language models. */
export function renderLlmView(): string {
  return (
    <PoolView id="llm" title="Language models">
      <TryChat plugin="llm" />
      <TryEmbed plugin="llm" />
    </PoolView>
  ) as string; // no component here is asynchronous, so the element is text
}
