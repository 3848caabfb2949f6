// The request of the chat panel. Pure.

export interface Message {
  readonly role: "user" | "assistant";
  content: string;
  /** What a model that thinks first has thought, as far as its server tells. */
  thoughts: string;
  /** The model that answered; empty for the user. */
  readonly model: string;
  /** Data URLs. */
  readonly pictures: readonly string[];
}

export interface ChatSettings {
  readonly model: string;
  readonly system: string;
  /** As typed; empty leaves it to the model server. */
  readonly temperature: string;
  readonly maxTokens: string;
}

/** Returns the request for the next answer: the conversation with the user's draft, or up to the user's last message. */
export function chatRequest(
  settings: ChatSettings,
  messages: readonly Message[],
  draft: { readonly text: string; readonly pictures: readonly string[] },
): Readonly<Record<string, unknown>> {
  const { model, system, temperature, maxTokens } = settings;
  const said = messages.map(toSent);
  const text = draft.text.trim();
  if (text !== "" || draft.pictures.length > 0)
    said.push(toSent({ role: "user", content: text, pictures: draft.pictures }));
  else if (said.at(-1)?.role === "assistant") said.pop();
  const first = system.trim() === "" ? [] : [{ role: "system", content: system.trim() }];
  return {
    model,
    stream: true,
    stream_options: { include_usage: true },
    ...numberIn("temperature", temperature, 0),
    ...numberIn("max_tokens", maxTokens, 1),
    messages: [...first, ...said],
  };
}

interface Sent {
  readonly role: string;
  readonly content: unknown;
}

function toSent({ role, content, pictures }: Pick<Message, "role" | "content" | "pictures">): Sent {
  if (pictures.length === 0) return { role, content };
  const images = pictures.map((url) => ({ type: "image_url", image_url: { url } }));
  return { role, content: [...(content === "" ? [] : [{ type: "text", text: content }]), ...images] };
}

function numberIn(name: string, text: string, least: number): Readonly<Record<string, number>> {
  const value = Number(String(text).trim().replace(",", "."));
  return String(text).trim() === "" || !Number.isFinite(value) || value < least ? {} : { [name]: value };
}
