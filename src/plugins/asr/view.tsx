/** @jsxImportSource @kitajs/html */
import { TryTranscribe } from "../../../views/parts/try-models.tsx";
import { PoolView } from "../../models/view.tsx";

/** The dashboard's section on speech. */
export function renderAsrView(): string {
  return (
    <PoolView id="asr" title="Speech to text" hasAudio>
      <TryTranscribe plugin="asr" />
    </PoolView>
  ) as string; // no component here is asynchronous, so the element is text
}
