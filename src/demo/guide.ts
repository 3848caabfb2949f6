import { isAbsolute } from "node:path";
import { formCurl, shellWord } from "../worker/curl.ts";

/** The model server behind the demo's worker. */
export interface ShownBackend {
  /** Description for people. */
  readonly name: string;
  readonly chatModel: string;
  /** Undefined for a real model server, since it is not known which of its models embeds. */
  readonly embedModel: string | undefined;
}

export interface GuideFacts {
  readonly url: string;
  readonly apiKey: string;
  readonly clientKey: string;
  readonly backend: ShownBackend;
  /** Undefined if the server accepts no audio. */
  readonly transcribeModel: string | undefined;
  /** Undefined if the server accepts no MCP. */
  readonly relayId: string | undefined;
  /** What starts this program again, to be pasted before a command: `launcherWords`. */
  readonly launcher: string;
  /** The path of a recording. A relative one begins at the directory in which the demo was started. */
  readonly recording: string;
}

/** The text that the demo prints: the addresses, and commands to paste. */
export function guide(facts: GuideFacts): string {
  const { url, apiKey, clientKey, backend, transcribeModel, relayId, launcher, recording } = facts;
  const { name, chatModel, embedModel } = backend;
  const chat = (stream: boolean): string =>
    JSON.stringify({
      model: chatModel,
      ...(stream ? { stream: true } : {}),
      messages: [{ role: "user", content: "What floats in a harbour?" }],
    });
  const lines = [
    "",
    "Moorage is running: a server, workers that have dialled out to it, and behind them",
    `  ${name}`,
    ...(transcribeModel === undefined ? [] : ["  a sample for audio (it ignores the sound and describes the upload)"]),
    ...(relayId === undefined ? [] : ["  a sample MCP server with three small tools"]),
    "",
    `  base URL for OpenAI clients   ${url}/v1`,
    `  API key                       ${apiKey}`,
    ...(relayId === undefined ? [] : [`  URL for MCP clients           ${mcpUrl(url, relayId)}`]),
    `  dashboard                     ${url}/state`,
    `  API description               ${url}/api/client/`,
    `  metrics                       ${url}/metrics`,
    "",
    `Paste into another terminal${isAbsolute(recording) ? "" : ", in this directory"}:`,
    "",
    `  export API_KEY=${apiKey}`,
    `  curl -H "Authorization: Bearer $API_KEY" ${url}/v1/models`,
    `  curl -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' ${url}/v1/chat/completions -d ${shellWord(chat(false))}`,
    `  curl -N -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' ${url}/v1/chat/completions -d ${shellWord(chat(true))}`,
    ...(embedModel === undefined
      ? []
      : [
          `  curl -H "Authorization: Bearer $API_KEY" -H 'Content-Type: application/json' ${url}/v1/embeddings -d ${shellWord(JSON.stringify({ model: embedModel, input: ["a rope ties a boat", "a line holds a ship"], dimensions: 8 }))}`,
        ]),
    ...(transcribeModel === undefined ? [] : [`  ${transcribeLine(url, transcribeModel, recording)}`]),
    ...(relayId === undefined ? [] : [`  ${toolLine(mcpUrl(url, relayId))}`]),
    `  curl -H "Authorization: Bearer $API_KEY" ${url}/api/state`,
    "",
    "To connect another worker, for example in front of your Ollama:",
    "",
    `  ${launcher} worker llm --server ${url} --client-key ${clientKey} --backend http://127.0.0.1:11434/v1`,
    "",
    "To test the server from a worker's side:",
    "",
    `  CLIENT_KEY=${clientKey} ${launcher} doctor --server ${url}`,
    "",
    "Ctrl-C stops everything.",
    "",
  ];
  return `${lines.join("\n")}\n`;
}

function transcribeLine(url: string, model: string, recording: string): string {
  return formCurl(`${url}/v1/audio/transcriptions`, [
    ["file", `@${recording}`],
    ["model", model],
  ]);
}

function mcpUrl(url: string, relayId: string): string {
  return `${url}/api/mcp/id/${relayId}/mcp`;
}

/** A call without a session, since the sample needs none. */
function toolLine(url: string): string {
  const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "add", arguments: { a: 2, b: 3 } } };
  return `curl -H 'Accept: application/json, text/event-stream' -H 'Content-Type: application/json' ${url} -d ${shellWord(JSON.stringify(call))}`;
}
