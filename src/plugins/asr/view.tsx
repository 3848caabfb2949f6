/** @jsxImportSource @kitajs/html */
import { bind } from "../../../views/parts/bind.ts";
import { ModelChoice } from "../../../views/parts/model-choice.tsx";
import { CurlLine, ProblemLine } from "../../../views/parts/parts.tsx";
import { modelSection } from "../../models/view.tsx";
import type { WorkColumn } from "../../models/worker-table.tsx";

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
  renderTries: () => (<TryTranscribe />) as string, // no component here is asynchronous, so the element is text
});

/** The panel that transcribes a file or a recording. */
function TryTranscribe(): string {
  return (
    <div class="try card" x-data="transcribe">
      <h3>Transcribe</h3>
      <ModelChoice plugin="asr" id="transcribe-model" />
      <form {...bind("x-on:submit.prevent", "send()")}>
        <label for="transcribe-file">Audio file</label>
        <input id="transcribe-file" type="file" accept="audio/*,video/*" x-on:change="choose($event)" />
        <div class="buttons">
          <button type="button" x-on:click="record()" x-text="isRecording ? 'Stop recording' : 'Record'">
            Record
          </button>
          <button type="submit" class="main" x-bind:disabled="!canSend()">
            Transcribe
          </button>
          <button type="button" x-on:click="stop()" x-bind:disabled="!isRunning">
            Stop
          </button>
          <span class="soft" role="status" x-text="isRunning ? 'Transcribing…' : fileText"></span>
        </div>
      </form>
      <p class="result" x-show="text !== ''" x-text="text"></p>
      <ProblemLine />
      <CurlLine text="curl()" />
    </div>
  ) as string;
}
