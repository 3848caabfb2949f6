/** @jsxImportSource @kitajs/html */
import { bind } from "../../../views/parts/bind.ts";
import { CurlLine, ProblemLine } from "../../../views/parts/parts.tsx";
import { FileButton, RunButtons, TryPanel } from "../../../views/parts/try-panel.tsx";

/** The panel of the playground that sends a file from this browser, and shows the command that receives it elsewhere. */
export function renderTries(): string {
  return (
    <TryPanel
      id="transfer"
      label="Transfer"
      title="Send a file"
      text="It goes through this server to the person who runs the command. Nothing is stored."
      data="transfer"
    >
      <form {...bind("x-on:submit.prevent", "send()")}>
        <div class="buttons">
          <FileButton id="transfer-file" label="Choose a file" change="choose($event)" />
          <span x-show="fileText !== ''" x-text="fileText"></span>
        </div>
        <RunButtons label="Open a channel" disabled="fileText === '' || isRunning" status="status()" />
      </form>
      <div class="try-body" x-show="channel !== ''">
        <CurlLine text="curl()" label="The other side runs this to receive it" />
        <p class="soft for-keys" x-show="needsKey()">
          It needs a key of this server in the variable <code>MOORAGE_KEY</code>.
        </p>
      </div>
      <div x-show="isRunning && isPassing()">
        <progress max="100" x-bind:value="progress()" aria-label="Received by the other side"></progress>
        <span class="soft" x-text="$format.bytes(passed()) + ' of ' + $format.bytes(size)"></span>
      </div>
      <ProblemLine />
    </TryPanel>
  ) as string; // no component here is asynchronous, so the element is text
}
