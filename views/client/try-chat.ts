import { assertOk, messageOf } from "./answers.ts";
import { chatRequest, type Message } from "./chat-request.ts";
import { curlLine } from "./curl.ts";
import { eventsOf } from "./events.ts";
import { settledModel } from "./model-choice.ts";
import { chatModels, type ModelRow, seesPictures } from "./model-kinds.ts";
import { MAX_PICTURES, toDataUrl } from "./pictures.ts";
import { askedModel, listOf, type PanelTools } from "./playground.ts";
import { type StreamedAnswer, speedOf } from "./streamed-answer.ts";
import { apiHeaders, keyVariable } from "./try-token.ts";

interface Delta {
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string | null;
      readonly reasoning_content?: string | null;
      readonly reasoning?: string | null;
    };
  }[];
  readonly usage?: { readonly completion_tokens?: number } | null;
  readonly error?: { readonly message?: string };
}

/** The longest conversation that is kept. A longer one is what the model forgets anyway. */
const MAX_MESSAGES = 200;

/** A streamed conversation with a model, which can be stopped. */
export function createChat({ pool, route }: PanelTools) {
  return () => {
    let stopper: AbortController | undefined;
    return {
      model: "",
      system: "",
      temperature: "",
      maxTokens: "",
      draft: "Why is a harbour a good place for a ship?",
      pictures: [] as string[],
      messages: [] as Message[],
      isRunning: false,
      problem: "",
      figures: "",
      choices(): readonly ModelRow[] {
        return chatModels(listOf<ModelRow>(pool(), "llm", "models"));
      },
      settle(): void {
        this.model = settledModel(this.choices(), { chosen: this.model, asked: askedModel(route(), "chat") });
      },
      curl(): string {
        const messages = this.messages.map((each) => ({ ...each, pictures: [] }));
        return curlLine({
          url: `${location.origin}/v1/chat/completions`,
          method: "POST",
          flags: "-N",
          bearerVariable: keyVariable(),
          json: chatRequest(this, messages, { text: this.draft, pictures: [] }),
        });
      },
      hasPictures(): boolean {
        return this.pictures.length > 0 || this.messages.some(({ pictures }) => pictures.length > 0);
      },
      mayAttach(): boolean {
        return seesPictures(this.model, this.choices()) && this.pictures.length < MAX_PICTURES;
      },
      async attach(event: Event): Promise<void> {
        const input = event.target as HTMLInputElement; // bound to a file input
        const files = [...(input.files ?? [])].slice(0, MAX_PICTURES - this.pictures.length);
        // The same file may be chosen again.
        input.value = "";
        this.problem = "";
        for (const file of files) {
          try {
            this.pictures.push(await toDataUrl(file));
          } catch (error) {
            this.problem = messageOf(error);
          }
        }
      },
      drop(at: number): void {
        this.pictures.splice(at, 1);
      },
      canSend(): boolean {
        const isServed = this.choices().some(({ name }) => name === this.model);
        return isServed && (this.draft.trim() !== "" || this.pictures.length > 0) && !this.isRunning;
      },
      async send(): Promise<void> {
        if (!this.canSend()) return;
        const body = JSON.stringify(chatRequest(this, this.messages, { text: this.draft, pictures: this.pictures }));
        const { model, pictures } = this;
        const content = this.draft.trim();
        this.messages.push({ role: "user", content, thoughts: "", model: "", pictures: [...pictures] });
        this.messages.push({ role: "assistant", content: "", thoughts: "", model, pictures: [] });
        if (this.messages.length > MAX_MESSAGES) this.messages.splice(0, this.messages.length - MAX_MESSAGES);
        Object.assign(this, { draft: "", pictures: [] });
        toTheEnd();
        // Read back from the list, because Alpine watches only the list's own object.
        const answer = this.messages.at(-1);
        if (!answer) return;
        Object.assign(this, { isRunning: true, problem: "", figures: "" });
        stopper = new AbortController();
        const streamed: StreamedAnswer = { startedAt: performance.now(), firstAt: 0, pieces: 0, tokens: null };
        try {
          const headers = { ...(await apiHeaders()), "content-type": "application/json" };
          const sent = fetch("/v1/chat/completions", { method: "POST", headers, body, signal: stopper.signal });
          for await (const data of eventsOf(await assertOk(await sent))) {
            if (data === "[DONE]") break;
            const { choices, usage, error } = JSON.parse(data) as Delta; // as models send it; a missing part counts as no text
            if (error) throw new Error(error.message ?? "the model failed");
            streamed.tokens = usage?.completion_tokens ?? streamed.tokens;
            const delta = choices?.[0]?.delta;
            const text = delta?.content ?? "";
            const thought = delta?.reasoning_content ?? delta?.reasoning ?? "";
            if (text === "" && thought === "") continue;
            if (streamed.firstAt === 0) streamed.firstAt = performance.now();
            streamed.pieces += 1;
            const wasAtEnd = isAtEnd();
            answer.content += text;
            answer.thoughts += thought;
            if (wasAtEnd) toTheEnd();
          }
        } catch (error) {
          this.problem = messageOf(error);
        } finally {
          this.isRunning = false;
          if (streamed.firstAt > 0) this.figures = speedOf(streamed, performance.now());
        }
      },
      stop(): void {
        stopper?.abort();
      },
      clear(): void {
        stopper?.abort();
        Object.assign(this, { messages: [], problem: "", figures: "" });
      },
    };
  };
}

/** Distance in pixels from the end that still counts as the end. */
const NEAR_PX = 40;

/** Whether the reader is at the newest text, and has not scrolled up. */
function isAtEnd(): boolean {
  const log = conversation();
  return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
}

/** Scrolls to the end once the new text is in the page, which takes two frames. */
function toTheEnd(): void {
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      const log = conversation();
      log.scrollTop = log.scrollHeight;
    }),
  );
}

function conversation(): HTMLElement {
  return document.getElementById("chat-messages") as HTMLElement; // the page's markup contains it
}
