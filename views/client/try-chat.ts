import { assertOk, messageOf } from "./answers.ts";
import { curlLine } from "./curl.ts";
import { eventsOf } from "./events.ts";
import { duration, rate } from "./format.ts";
import { apiHeaders, keyVariable } from "./try-token.ts";

interface Message {
  readonly role: "user" | "assistant";
  content: string;
}

interface Delta {
  readonly choices?: readonly { readonly delta?: { readonly content?: string | null } }[];
  readonly error?: { readonly message?: string };
}

/** A streamed conversation with a model, which can be stopped. */
export function createChat() {
  let stopper: AbortController | undefined;
  return {
    model: "",
    draft: "Why is a harbour a good place for a ship?",
    messages: [] as Message[],
    isRunning: false,
    problem: "",
    figures: "",
    suggested(models: readonly { readonly name: string }[]): string {
      return models[0]?.name ?? "";
    },
    /** The request for the next answer: the conversation with the user's draft, or up to the user's last message. */
    request() {
      const said = this.messages.map(({ role, content }) => ({ role, content }));
      const draft = this.draft.trim();
      if (draft !== "") said.push({ role: "user", content: draft });
      else if (said.at(-1)?.role === "assistant") said.pop();
      return { model: this.model, stream: true, messages: said };
    },
    curl(): string {
      return curlLine({
        url: `${location.origin}/v1/chat/completions`,
        method: "POST",
        flags: "-N",
        bearerVariable: keyVariable(),
        json: this.request(),
      });
    },
    canSend(): boolean {
      return this.model !== "" && this.draft.trim() !== "" && !this.isRunning;
    },
    async send(): Promise<void> {
      if (!this.canSend()) return;
      const body = JSON.stringify(this.request());
      this.messages.push({ role: "user", content: this.draft.trim() }, { role: "assistant", content: "" });
      this.draft = "";
      toTheEnd();
      // Read back from the list, because Alpine watches only the list's own object.
      const answer = this.messages.at(-1);
      if (!answer) return;
      Object.assign(this, { isRunning: true, problem: "", figures: "" });
      stopper = new AbortController();
      const startedAt = performance.now();
      let firstAt = 0;
      let pieces = 0;
      try {
        const headers = { ...(await apiHeaders()), "content-type": "application/json" };
        const sent = fetch("/v1/chat/completions", { method: "POST", headers, body, signal: stopper.signal });
        for await (const data of eventsOf(await assertOk(await sent))) {
          if (data === "[DONE]") break;
          const { choices, error } = JSON.parse(data) as Delta; // as models send it; a missing part counts as no text
          if (error) throw new Error(error.message ?? "the model failed");
          const text = choices?.[0]?.delta?.content ?? "";
          if (text === "") continue;
          if (firstAt === 0) firstAt = performance.now();
          pieces += 1;
          const wasAtEnd = isAtEnd();
          answer.content += text;
          if (wasAtEnd) toTheEnd();
        }
      } catch (error) {
        this.problem = messageOf(error);
      } finally {
        this.isRunning = false;
        const seconds = (performance.now() - firstAt) / 1000;
        if (firstAt > 0) {
          this.figures = `first text after ${duration(firstAt - startedAt)}, then ${rate(pieces / Math.max(seconds, 0.001))} pieces/s`;
        }
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
}

/** Distance in pixels from the end that still counts as the end. */
const NEAR_PX = 40;

/** Whether the reader is at the newest text, and has not scrolled up. */
function isAtEnd(): boolean {
  const log = conversation();
  return log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX;
}

/** Scrolls to the end once the new text is in the page. */
function toTheEnd(): void {
  requestAnimationFrame(() => {
    const log = conversation();
    log.scrollTop = log.scrollHeight;
  });
}

function conversation(): HTMLElement {
  return document.getElementById("chat-messages") as HTMLElement; // the page's markup contains it
}
