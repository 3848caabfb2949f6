/** @jsxImportSource @kitajs/html */
import { bind } from "./bind.ts";
import { CurlLine, ProblemLine } from "./parts.tsx";

/** A choice among the models that a plugin's workers serve now; a likely one is chosen. */
function ModelChoice({ plugin, id }: { readonly plugin: string; readonly id: string }): string {
  const models = `$store.pool.plugins.${plugin} ? $store.pool.plugins.${plugin}.models : []`;
  return (
    <label for={id}>
      Model
      <select id={id} x-model="model" x-effect={`model = model || suggested(${models})`}>
        <template x-for={`each in ${models}`} x-bind:key="each.name">
          <option x-bind:value="each.name" x-text="each.name" x-bind:selected="each.name === model"></option>
        </template>
      </select>
    </label>
  ) as string;
}

/** A chat with a model, streamed, with a button that stops it. */
export function TryChat({ plugin }: { readonly plugin: string }): string {
  return (
    <div class="try card" x-data="chat">
      <h3>Chat</h3>
      <ModelChoice plugin={plugin} id="chat-model" />
      <div
        id="chat-messages"
        class="messages"
        role="log"
        aria-label="Conversation"
        tabindex="0"
        x-show="messages.length > 0"
      >
        <template x-for="(message, index) in messages" x-bind:key="index">
          <p class="message" x-bind:class="message.role">
            <b x-text="message.role === 'user' ? 'You' : 'Model'"></b>
            <span x-text="message.content"></span>
          </p>
        </template>
      </div>
      <form {...bind("x-on:submit.prevent", "send()")}>
        <label for="chat-draft">Message (Ctrl+Enter to send)</label>
        <textarea
          id="chat-draft"
          rows="3"
          x-model="draft"
          {...bind("x-on:keydown.ctrl.enter.prevent", "send()")}
        ></textarea>
        <div class="buttons">
          <button type="submit" class="main" x-bind:disabled="!canSend()">
            Send
          </button>
          <button type="button" x-on:click="stop()" x-bind:disabled="!isRunning">
            Stop
          </button>
          <button type="button" x-on:click="clear()" x-show="messages.length > 0">
            Clear
          </button>
          <span class="soft" role="status" x-text="isRunning ? 'The model is responding…' : figures"></span>
        </div>
      </form>
      <ProblemLine />
      <CurlLine text="curl()" />
    </div>
  ) as string;
}

/** Two texts and their similarity. */
export function TryEmbed({ plugin }: { readonly plugin: string }): string {
  return (
    <div class="try card" x-data="embed">
      <h3>Similarity of two texts</h3>
      <ModelChoice plugin={plugin} id="embed-model" />
      <form {...bind("x-on:submit.prevent", "embed()")}>
        <label for="embed-first">First text</label>
        <textarea id="embed-first" rows="2" x-model="first"></textarea>
        <label for="embed-second">Second text</label>
        <textarea id="embed-second" rows="2" x-model="second"></textarea>
        <div class="buttons">
          <button type="submit" class="main" x-bind:disabled="isRunning || model === ''">
            Compare
          </button>
          <output class="soft" for="embed-first embed-second" x-show="similarity !== null">
            <b x-text="percent()"></b> similar, <span x-text="dimensions"></span> dimensions
          </output>
        </div>
      </form>
      <ProblemLine />
      <CurlLine text="curl()" />
    </div>
  ) as string;
}

/** A file or the microphone as text. */
export function TryTranscribe({ plugin }: { readonly plugin: string }): string {
  return (
    <div class="try card" x-data="transcribe">
      <h3>Transcribe</h3>
      <ModelChoice plugin={plugin} id="transcribe-model" />
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
