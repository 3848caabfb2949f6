/** The clients of the soak, in their own process: requests of all kinds, with every response checked. */
import type { Target } from "./load.ts";

export interface SoakQuestion {
  /** The server's URL without a path, and a key. */
  readonly target: Target;
  readonly count: number;
}

export interface SoakAnswer {
  /** The number of requests by kind and result. */
  readonly counts: Readonly<Record<string, number>>;
  /** The first wrong response, if there was one. */
  readonly wrong?: string;
}

const CONCURRENCY = 64;
/** The errors that clients of a lost worker may see. */
const LOST = /worker_lost|no_worker_available|queue_timeout/;

type Kind = (target: Target, at: number) => Promise<"whole" | "cut off" | "left">;

/** The number of each kind in a hundred requests. */
const SHARES: readonly (readonly [string, number, Kind])[] = [
  ["chat", 49, chat],
  ["stream", 20, (target, at) => stream(target, at, "reads")],
  ["stream whose client leaves", 6, (target, at) => stream(target, at, "leaves")],
  ["stream whose client is slow", 1, (target, at) => stream(target, at, "is slow")],
  ["chat whose client leaves", 4, chatThatIsLeft],
  ["embeddings", 5, embeddings],
  ["transcription", 4, transcription],
  ["MCP call", 8, mcpCall],
  ["transfer", 2, transfer],
  ["refused request", 1, refused],
];

function kindFor(at: number): readonly [string, Kind] {
  // Spread over each hundred, so that kinds mix.
  let place = (at * 37) % 100;
  for (const [name, share, kind] of SHARES) {
    if (place < share) return [name, kind];
    place -= share;
  }
  throw new Error("the shares are not a hundred");
}

function ask({ url, key }: Target, path: string, init: RequestInit): Promise<Response> {
  const headers = new Headers(init.headers);
  headers.set("authorization", `Bearer ${key}`);
  if (typeof init.body === "string") headers.set("content-type", "application/json");
  return fetch(url + path, { method: "POST", ...init, headers });
}

/** The text of a response, or undefined if its worker was lost. Throws for any other status than 200. */
async function textOf(response: Response): Promise<string | undefined> {
  const text = await response.text();
  if (response.status === 200) return text;
  if (LOST.test(text)) return undefined;
  throw new Error(`status ${response.status}: ${text.slice(0, 300)}`);
}

function hold(isRight: boolean, what: string, text: string): void {
  if (!isRight) throw new Error(`${what} was answered ${text.slice(0, 300)}`);
}

const message = (content: string): object => ({ model: "soak-chat", messages: [{ role: "user", content }] });

async function chat(target: Target, at: number): ReturnType<Kind> {
  const text = await textOf(await ask(target, "/v1/chat/completions", { body: JSON.stringify(message(`${at}`)) }));
  if (text === undefined) return "cut off";
  hold(text.includes('"ahoy"'), "a chat", text);
  return "whole";
}

async function stream(target: Target, at: number, how: "reads" | "leaves" | "is slow"): ReturnType<Kind> {
  const stop = new AbortController();
  const chunks = 3 + (at % 20);
  const body = JSON.stringify({ ...message(`${at}`), stream: true, chunks });
  const response = await ask(target, "/v1/chat/completions", { body, signal: stop.signal });
  if (response.status !== 200 || !response.body) return (await textOf(response)) === undefined ? "cut off" : "whole";
  let text = "";
  for await (const bytes of response.body) {
    text += Buffer.from(bytes).toString();
    if (how === "leaves" && text.includes('"2"')) break;
    if (how === "is slow") await Bun.sleep(20);
  }
  if (how === "leaves") {
    stop.abort();
    return "left";
  }
  const events = text.split("\n\n").filter((event) => event.includes('"content"')).length;
  if (text.endsWith("data: [DONE]\n\n")) {
    hold(events === chunks, `a stream of ${chunks}`, text);
    return "whole";
  }
  hold(LOST.test(text), "a stream without an end", text.slice(-300));
  return "cut off";
}

async function chatThatIsLeft(target: Target, at: number): ReturnType<Kind> {
  const signal = AbortSignal.timeout(at % 5);
  const body = JSON.stringify(message(`${at}`));
  await ask(target, "/v1/chat/completions", { body, signal }).then(
    (response) => response.text(),
    () => "",
  );
  return "left";
}

async function embeddings(target: Target, at: number): ReturnType<Kind> {
  const count = 1 + (at % 200);
  const input = Array.from({ length: count }, (_, each) => `${each}`);
  const text = await textOf(
    await ask(target, "/v1/embeddings", { body: JSON.stringify({ model: "soak-embed", input }) }),
  );
  if (text === undefined) return "cut off";
  const { data } = JSON.parse(text) as { data: { index: number }[] }; // Anything else throws below.
  hold(data.length === count && data.every(({ index }, place) => index === place), `${count} inputs`, text);
  return "whole";
}

/** Sizes below and above the part that is kept in memory, with the model first and last. */
async function transcription(target: Target, at: number): ReturnType<Kind> {
  const size = at % 3 === 0 ? 1_500_000 : 20_000;
  const form = new FormData();
  const file = new Blob([new Uint8Array(size)], { type: "audio/wav" });
  if (at % 2 === 0) form.append("model", "soak-speech");
  form.append("file", file, "soak.wav");
  if (at % 2 === 1) form.append("model", "soak-speech");
  const text = await textOf(await ask(target, "/v1/audio/transcriptions", { body: form }));
  if (text === undefined) return "cut off";
  hold(text.includes(`${size} bytes`), `an upload of ${size} bytes`, text);
  return "whole";
}

async function mcpCall(target: Target, at: number): ReturnType<Kind> {
  const call = { jsonrpc: "2.0", id: at, method: "tools/call", params: { name: `tool-${at % 10}`, arguments: {} } };
  const headers = { accept: "application/json, text/event-stream" };
  const text = await textOf(await ask(target, "/api/mcp/id/tools", { body: JSON.stringify(call), headers }));
  if (text === undefined) return "cut off";
  hold(text.includes(`call ${at}`), `MCP call ${at}`, text);
  return "whole";
}

async function transfer(target: Target, at: number): ReturnType<Kind> {
  const { channel_id } = (await (await ask(target, "/api/transfer", {})).json()) as { channel_id: string }; // As the API has it.
  const path = `/api/transfer/${channel_id}`;
  const sent = new Uint8Array(1 + (at % 300_000));
  const [read] = await Promise.all([
    ask(target, path, { method: "GET" }).then((response) => response.arrayBuffer()),
    ask(target, path, { method: "PUT", body: sent }).then((response) => response.text()),
  ]);
  hold(read.byteLength === sent.length, `a transfer of ${sent.length}`, `${read.byteLength}`);
  return "whole";
}

async function refused(target: Target, at: number): ReturnType<Kind> {
  const body = at % 2 === 0 ? "{" : JSON.stringify({ model: `nobody-${at}`, messages: [] });
  const response = await ask(target, "/v1/chat/completions", { body });
  hold(response.status === 400 || response.status === 404, "a wrong request", await response.text());
  return "whole";
}

async function run({ target, count }: SoakQuestion): Promise<SoakAnswer> {
  const counts: Record<string, number> = {};
  let next = 0;
  let wrong: string | undefined;
  const lane = async (): Promise<void> => {
    while (next < count && wrong === undefined) {
      next += 1;
      const at = next;
      const [name, kind] = kindFor(at);
      try {
        const label = `${name}: ${await kind(target, at)}`;
        counts[label] = (counts[label] ?? 0) + 1;
      } catch (error) {
        wrong ??= `${name} ${at}: ${error instanceof Error ? error.message : error}`;
      }
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  return { counts, ...(wrong === undefined ? {} : { wrong }) };
}

process.on("disconnect", () => process.exit(0));
process.on("message", (asked) => {
  // The harness sends nothing else.
  run(asked as SoakQuestion).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error("soak-load", error);
      process.exit(1);
    },
  );
});
process.send?.({});
