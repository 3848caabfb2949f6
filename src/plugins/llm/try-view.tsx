/** @jsxImportSource @kitajs/html */
import { bind } from "../../../views/parts/bind.ts";
import { ModelChoice } from "../../../views/parts/model-choice.tsx";
import { CurlLine, ProblemLine } from "../../../views/parts/parts.tsx";
import { FileButton, IfServed, TryPanel } from "../../../views/parts/try-panel.tsx";

/** The panels for language models in the playground. */
export function renderTries(): string {
  return (
    <>
      <TryChat />
      <TryEmbed />
    </>
  ) as string; // no component here is asynchronous, so the element is text
}

/** The panel for a streamed chat with a model, with a button that stops it. */
function TryChat(): string {
  return (
    <TryPanel id="chat" label="Chat" title="Chat" text="A streamed conversation with a model." data="chat">
      <IfServed
        when="choices().length > 0"
        empty={{
          title: "No chat model is served now",
          text: "As soon as a worker with one connects, you can talk to it here.",
          action: { href: "#add?kind=llm", label: "Add a worker", isForAdmins: true },
        }}
      >
        <ModelChoice id="chat-model" />
        <details class="settings">
          <summary>Settings</summary>
          <div class="fields">
            <label for="chat-system" class="whole">
              System prompt
              <textarea id="chat-system" rows="2" placeholder="none" x-model="system"></textarea>
            </label>
            <label for="chat-temperature">
              Temperature
              <input
                id="chat-temperature"
                type="number"
                min="0"
                max="2"
                step="0.1"
                placeholder="the model's own"
                x-model="temperature"
              />
            </label>
            <label for="chat-max-tokens">
              Max tokens
              <input id="chat-max-tokens" type="number" min="1" step="1" placeholder="no limit" x-model="maxTokens" />
            </label>
          </div>
        </details>
        <div
          id="chat-messages"
          class="messages"
          role="log"
          aria-label="Conversation"
          tabindex="0"
          x-show="messages.length > 0"
        >
          <template x-for="(message, index) in messages" x-bind:key="index">
            <div class="message" x-bind:class="message.role">
              <b x-text="message.role === 'user' ? 'You' : message.model"></b>
              <span class="thumbs" x-show="message.pictures.length > 0">
                <template x-for="(picture, at) in message.pictures" x-bind:key="at">
                  <img x-bind:src="picture" alt="Sent with the message" />
                </template>
              </span>
              <p class="thoughts soft" x-show="message.thoughts !== ''" x-text="message.thoughts"></p>
              <div class="said" x-markdown="message.content"></div>
            </div>
          </template>
        </div>
        <form {...bind("x-on:submit.prevent", "send()")}>
          <label for="chat-draft">Message</label>
          <textarea
            id="chat-draft"
            rows="3"
            x-model="draft"
            {...bind("x-on:keydown.ctrl.enter.prevent", "send()")}
            {...bind("x-on:keydown.meta.enter.prevent", "send()")}
          ></textarea>
          <div class="thumbs" x-show="pictures.length > 0">
            <template x-for="(picture, at) in pictures" x-bind:key="at">
              <span class="thumb">
                <img x-bind:src="picture" alt="To be sent" />
                <button
                  type="button"
                  class="small"
                  x-on:click="drop(at)"
                  x-bind:aria-label="'Remove picture ' + (at + 1)"
                >
                  ✕
                </button>
              </span>
            </template>
          </div>
          <div class="buttons">
            <button type="submit" class="main" x-bind:disabled="!canSend()">
              Send
            </button>
            <button type="button" x-show="isRunning" x-on:click="stop()">
              Stop
            </button>
            <span x-show="mayAttach()">
              <FileButton id="chat-pictures" label="Add pictures" accept="image/*" change="attach($event)" isMultiple />
            </span>
            <button type="button" x-on:click="clear()" x-show="messages.length > 0">
              Clear
            </button>
            <span class="soft" role="status" x-text="isRunning ? 'The model is responding…' : figures"></span>
          </div>
          <span class="soft keys-hint">Ctrl+Enter sends it.</span>
        </form>
        <ProblemLine />
        <CurlLine text="curl()" />
        <p class="soft" x-show="hasPictures()">
          The command leaves the pictures out: they are too long for a shell.
        </p>
      </IfServed>
    </TryPanel>
  ) as string;
}

/** The panel that compares two texts. */
function TryEmbed(): string {
  return (
    <TryPanel
      id="embeddings"
      label="Embeddings"
      title="Similarity of two texts"
      text="An embedding model turns each text into a vector; their angle is the similarity."
      data="embed"
    >
      <IfServed
        when="choices().length > 0"
        empty={{
          title: "No embedding model is served now",
          text: "Any model server with one will do, such as Ollama with nomic-embed-text.",
          action: { href: "#add?kind=llm", label: "Add a worker", isForAdmins: true },
        }}
      >
        <ModelChoice id="embed-model" />
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
              Cosine similarity <b x-text="similarityText()"></b>, <span x-text="dimensions"></span> dimensions
            </output>
          </div>
        </form>
        <ProblemLine />
        <CurlLine text="curl()" />
      </IfServed>
    </TryPanel>
  ) as string;
}
