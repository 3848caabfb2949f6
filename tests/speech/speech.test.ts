import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import OpenAI from "openai";
import type { Worker } from "../../src/worker/worker.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { startTestWorker } from "../support/test-worker.ts";
import { SPHINX_MODEL, speak, startSphinx } from "./programs.ts";

const NEEDED = [PROGRAMS.flite, PROGRAMS.pocketsphinx, PROGRAMS.pocketsphinxModel];

describe.skipIf(lacks("speech", ...NEEDED))(
  "speech sent to a server comes back as words from a recogniser behind a worker",
  () => {
    let server: TestServer;
    let backend: ReturnType<typeof startSphinx>;
    let worker: Worker;
    let client: OpenAI;

    beforeAll(async () => {
      server = new TestServer({ plugins: ["asr"] });
      backend = startSphinx();
      worker = startTestWorker({ kinds: ["asr"], server: server.url, clientKeys: [CLIENT_KEY], backend: backend.url });
      await worker.registered;
      client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: API_KEY, maxRetries: 0 });
    });
    afterAll(async () => {
      await worker.stop();
      await backend.stop();
      await server.stop();
    });

    async function transcribe(file: File): Promise<string> {
      const { text } = await client.audio.transcriptions.create({ model: SPHINX_MODEL, file });
      return text;
    }

    test("for several recordings at once, each with its own words", async () => {
      const sentences = ["the water is cold and the wind is strong", "one two three four five six seven"];
      const heard = await Promise.all(sentences.map(async (sentence) => transcribe(await speak(sentence))));
      for (const [index, sentence] of sentences.entries()) {
        expect(shareOf(sentence, heard[index] ?? "")).toBeGreaterThanOrEqual(0.8);
        const other = sentences[1 - index] ?? "";
        expect(shareOf(other, heard[index] ?? "")).toBeLessThan(0.3);
      }
      expect(backend.heard).toBe(2);
    });

    test("for the recording in the guide", async () => {
      const wav = await Bun.file(new URL("../../docs/sample.wav", import.meta.url)).arrayBuffer();
      const text = await transcribe(new File([wav], "sample.wav"));
      expect(shareOf("old ship harbor", text)).toBeGreaterThanOrEqual(2 / 3);
    });
  },
);

/** The share of the spoken words that were recognised; no recogniser gets every word every time. */
function shareOf(spoken: string, heard: string): number {
  const words = spoken.split(" ");
  const got = new Set(heard.toLowerCase().split(/\W+/));
  return words.filter((word) => got.has(word)).length / words.length;
}
