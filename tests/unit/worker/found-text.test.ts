import { expect, test } from "bun:test";
import { asrKind } from "../../../src/worker/asr.ts";
import { chooseBackend, withoutServer } from "../../../src/worker/find-backends.ts";
import { foundTable } from "../../../src/worker/found-text.ts";
import { createLoadSampler } from "../../../src/worker/host.ts";
import { llmKind } from "../../../src/worker/llm.ts";

const usual = {
  version: undefined,
  models: [],
  info: [],
  loaded: undefined,
  loadedSource: undefined,
  slots: undefined,
  listsModels: true,
  paths: undefined,
};
const ollama = {
  ...usual,
  base: "http://127.0.0.1:11434/v1",
  family: "ollama",
  version: "0.9.0",
  models: ["llama3:8b"],
};
const lmStudio = { ...usual, base: "http://127.0.0.1:1234/v1", family: "lmstudio" };

/** What a shell hands to curl when the line is pasted. */
async function argumentsOf(line: string): Promise<readonly string[]> {
  const shell = Bun.spawn(["sh", "-c", `curl() { printf '%s\\n' "$@"; }; ${line}`], {
    env: { API_KEY: "k" },
    stdout: "pipe",
  });
  return (await shell.stdout.text()).trim().split("\n");
}

test("the table names every server that was found and marks the one in use", () => {
  const lines = foundTable([ollama, lmStudio], ollama).split("\n");
  expect(lines[2]).toMatch(/^\* +ollama 0\.9\.0 +http:\/\/127\.0\.0\.1:11434\/v1 +llama3:8b$/);
  expect(lines[3]).toMatch(/^ +lmstudio +http:\/\/127\.0\.0\.1:1234\/v1 +none$/);
});

test("a server with models is preferred to one without", () => {
  expect(chooseBackend([lmStudio, ollama])).toBe(ollama);
  expect(chooseBackend([lmStudio])).toBe(lmStudio);
  expect(chooseBackend([])).toBeUndefined();
});

test("the command to paste survives a shell, whatever the model's name is", async () => {
  const printed = await argumentsOf(llmKind.curlLine("https://moorage.example.com", "it's $HOME `x`"));
  expect(printed[0]).toBe("https://moorage.example.com/v1/chat/completions");
  expect(printed[2]).toBe("Authorization: Bearer k");
  expect(JSON.parse(printed.at(-1) ?? "").model).toBe("it's $HOME `x`");
});

test("the command to paste for audio posts a form with a file", async () => {
  const line = asrKind.curlLine("https://moorage.example.com", "Systran/faster-whisper-small");
  expect(line).toBe(
    'curl -H "Authorization: Bearer $API_KEY" https://moorage.example.com/v1/audio/transcriptions -F file=@speech.wav -F model=Systran/faster-whisper-small',
  );
  expect(await argumentsOf(line)).toContain("file=@speech.wav");
});

test.each(["@/etc/passwd", "</etc/passwd", "a;type=text/html", "it's $HOME `x`"])(
  "a model called %s is text in curl's form, not a file to read or a type to set",
  async (model) => {
    const printed = await argumentsOf(asrKind.curlLine("https://moorage.example.com", model));
    expect(printed.slice(-2)).toEqual(["--form-string", `model=${model}`]);
  },
);

test("the server's own port is not taken for that of a model server", () => {
  const ports = (server: string): string[] =>
    withoutServer(llmKind.places, server).map(({ base }) => new URL(base).port);
  expect(ports("http://127.0.0.1:8080")).toEqual(["11434", "9931", "8000", "1234"]);
  expect(ports("ws://localhost:8000")).toEqual(["11434", "8080", "9931", "1234"]);
  expect(ports("wss://moorage.example.com")).toEqual(["11434", "8080", "9931", "8000", "1234"]);
  expect(ports("wss://moorage.example.com:8080")).toEqual(["11434", "8080", "9931", "8000", "1234"]);
});

test("the load is measured between two calls, in whole per cent", () => {
  const times = [
    { busy: 100, total: 1000 },
    { busy: 133, total: 1100 },
    { busy: 133, total: 1100 },
  ];
  const sample = createLoadSampler(() => times.shift() ?? { busy: 0, total: 0 });
  expect(sample().cpuPercent).toBe(33);
  expect(sample().cpuPercent).toBeUndefined();
  const { cpuPercent = 0, ramUsedPercent = 0 } = createLoadSampler()();
  expect(Number.isInteger(ramUsedPercent) && ramUsedPercent > 0 && ramUsedPercent <= 100).toBe(true);
  expect(cpuPercent >= 0 && cpuPercent <= 100).toBe(true);
});
