import { describe, expect, test } from "bun:test";
import { chatRequest, type Message } from "../../../../views/client/chat-request.ts";

const SETTINGS = { model: "m", system: "", temperature: "", maxTokens: "" };
const said = (role: Message["role"], content: string, pictures: readonly string[] = []): Message => ({
  role,
  content,
  thoughts: "",
  model: "",
  pictures,
});
const NOTHING = { text: " ", pictures: [] };

describe("the request of a chat", () => {
  test("is the conversation with the draft, and asks for the usage", () => {
    expect(chatRequest(SETTINGS, [said("user", "a"), said("assistant", "b")], { text: " c ", pictures: [] })).toEqual({
      model: "m",
      stream: true,
      stream_options: { include_usage: true },
      messages: [
        { role: "user", content: "a" },
        { role: "assistant", content: "b" },
        { role: "user", content: "c" },
      ],
    });
  });

  test("repeats the last question if there is no draft", () => {
    const { messages } = chatRequest(SETTINGS, [said("user", "a"), said("assistant", "b")], NOTHING);
    expect(messages).toEqual([{ role: "user", content: "a" }]);
  });

  test("begins with the system prompt, and has the numbers that were typed", () => {
    const settings = { model: "m", system: " Be brief. ", temperature: "0,5", maxTokens: "100" };
    expect(chatRequest(settings, [said("user", "a")], NOTHING)).toMatchObject({
      temperature: 0.5,
      max_tokens: 100,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "a" },
      ],
    });
    const none = chatRequest({ ...settings, temperature: "hot", maxTokens: "0" }, [], NOTHING);
    expect(Object.keys(none)).not.toContain("temperature");
    expect(Object.keys(none)).not.toContain("max_tokens");
  });

  test("has pictures beside the text, and alone", () => {
    const { messages } = chatRequest(SETTINGS, [said("user", "a", ["data:1"])], { text: "", pictures: ["data:2"] });
    expect(messages).toEqual([
      {
        role: "user",
        content: [
          { type: "text", text: "a" },
          { type: "image_url", image_url: { url: "data:1" } },
        ],
      },
      { role: "user", content: [{ type: "image_url", image_url: { url: "data:2" } }] },
    ]);
  });
});
