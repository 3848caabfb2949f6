/** @jsxImportSource @kitajs/html */
import { bind } from "../../../views/parts/bind.ts";
import { ModelChoice } from "../../../views/parts/model-choice.tsx";
import { CurlLine, ProblemLine } from "../../../views/parts/parts.tsx";
import { FileButton, IfServed, RunButtons, TryPanel } from "../../../views/parts/try-panel.tsx";

/** The panel of the playground that transcribes a file or a recording. */
export function renderTries(): string {
  return (
    <TryPanel
      id="speech"
      label="Speech"
      title="Transcribe"
      text="A file, or a recording from your microphone."
      data="transcribe"
    >
      <IfServed
        when="choices().length > 0"
        empty={{
          title: "No speech model is served now",
          text: "A worker with speaches or whisper.cpp serves one.",
          action: { href: "#add?kind=asr", label: "Add a worker", isForAdmins: true },
        }}
      >
        <ModelChoice id="transcribe-model" />
        <form {...bind("x-on:submit.prevent", "send()")}>
          <div class="buttons">
            <FileButton id="transcribe-file" label="Choose a file" accept="audio/*,video/*" change="choose($event)" />
            <button
              type="button"
              x-on:click="record()"
              x-bind:disabled="isRunning"
              x-text="isRecording ? 'Stop recording' : 'Record'"
            >
              Record
            </button>
          </div>
          <div class="chosen" x-show="fileText !== '' && !isRecording">
            <span x-text="fileText"></span>
            <a class="small" x-show="isRecorded" x-bind:href="sound" x-bind:download="fileName" href="#playground">
              Save it
            </a>
            <button type="button" class="small" x-on:click="remove()" x-bind:disabled="isRunning">
              Remove
            </button>
            <audio controls="" x-show="sound !== ''" x-bind:src="sound" aria-label="What will be sent">
              <track kind="captions" />
            </audio>
          </div>
          <RunButtons label="Transcribe" disabled="!canSend()" status="status()" />
        </form>
        <p class="result" x-show="text !== ''" x-text="text"></p>
        <ProblemLine />
        <CurlLine text="curl()" />
      </IfServed>
    </TryPanel>
  ) as string; // no component here is asynchronous, so the element is text
}
