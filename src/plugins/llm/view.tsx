/** @jsxImportSource @kitajs/html */
import { bind } from "../../../views/parts/bind.ts";
import { ModelChoice } from "../../../views/parts/model-choice.tsx";
import { CurlLine, ProblemLine } from "../../../views/parts/parts.tsx";
import { modelSection } from "../../models/view.tsx";

/** Language models on the dashboard. */
export const LLM_SECTION = modelSection({
  id: "llm",
  label: "Language models",
  kind: "LLM",
  renderTries: () =>
    (
      <>
        <TryChat />
        <TryEmbed />
      </>
    ) as string, // no component here is asynchronous, so the element is text
});

/** The panel for a streamed chat with a model, with a button that stops it. */
function TryChat(): string {
  return (
    <div class="try card" x-data="chat">
      <h3>Chat</h3>
      <ModelChoice plugin="llm" id="chat-model" />
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

/** The panel that compares two texts. */
function TryEmbed(): string {
  return (
    <div class="try card" x-data="embed">
      <h3>Similarity of two texts</h3>
      <ModelChoice plugin="llm" id="embed-model" />
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
