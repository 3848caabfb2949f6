/**
 * Many workers in one process: sockets that register, stay idle, and answer every request with a fixed small chat response.
 * Arguments: the server's URL, the client key.
 */

import { decodeFrame, encodeResponse } from "../src/wire/frame.ts";
import { NATIVE_PROTOCOL } from "../src/wire/protocol.ts";
import { planRetry } from "../src/worker/retry.ts";

/** Opens sessions until there are this many, and answers when all have registered. */
export interface IdleQuestion {
  readonly sessions: number;
  /** The interval at which each session reports another number of slots; undefined means never. */
  readonly changeEveryMs?: number;
}

/** Breaks every connection at once, and answers when each has registered again. Sessions dial as the worker does. */
export interface DropQuestion {
  readonly drop: true;
}

/** Waits until every session has lost its connection, and answers when each has registered again. Sessions dial as the worker does. */
export interface LoseQuestion {
  readonly lose: true;
}

export interface DropAnswer {
  /** Milliseconds from the drop until half of the sessions, and all of them, were back. */
  readonly halfMs: number;
  readonly allMs: number;
  /** The number of attempts to connect, of all sessions together. */
  readonly dialled: number;
}

/** Sockets that connect at the same time; more would only wait in the listener's backlog. */
const DIALLING = 64;
const HEAD = { status: 200, headers: [["content-type", "application/json"]] } as const;
const ANSWER = new TextEncoder().encode(
  JSON.stringify({
    id: "chatcmpl-bench",
    object: "chat.completion",
    created: 1_767_225_600,
    model: "bench-chat",
    choices: [{ index: 0, message: { role: "assistant", content: "A rope and a ring." }, finish_reason: "stop" }],
    usage: { prompt_tokens: 12, completion_tokens: 6, total_tokens: 18 },
  }),
);

const [url = "", clientKey = ""] = process.argv.slice(2);
let opened = 0;
/** The sockets, in the order in which they were first opened. */
const sockets: WebSocket[] = [];

/** Resolves once the session has registered. Rejects with the close code if the connection ends before. */
function open(at: number): Promise<void> {
  return new Promise((resolve, reject) => {
    // Bun's client accepts protocols in an options object that the DOM's type does not know.
    const options = { protocols: [NATIVE_PROTOCOL], perMessageDeflate: false } as unknown as string[];
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/llm/connect`, options);
    socket.binaryType = "nodebuffer";
    sockets[at - 1] = socket;
    socket.onopen = () => {
      // All serve one common model, as in a real fleet, and two of forty others.
      const models = ["bench-chat", `model-${at % 40}:8b-q4`, `model-${(at + 7) % 40}:70b-q8`];
      const worker = { worker_id: `idle-${at}`, worker_name: `idle worker ${at}`, version: "0.1.0" };
      socket.send(JSON.stringify({ type: "register", client_key: clientKey, ...worker, models, max_concurrency: 4 }));
    };
    socket.onmessage = ({ data }: MessageEvent<string | Buffer>) => {
      if (typeof data === "string") return resolve();
      const frame = decodeFrame(data);
      if (frame.type !== "request") return;
      // Frames are in plain memory, as the DOM's type requires.
      socket.send(encodeResponse(frame.id, HEAD, ANSWER, true) as Uint8Array<ArrayBuffer>);
    };
    socket.onclose = ({ code, reason }) => reject(new Closed(code, `session ${at} closed: ${code} ${reason}`));
  });
}

async function openUntil(sessions: number): Promise<void> {
  const lane = async (): Promise<void> => {
    while (opened < sessions) {
      opened += 1;
      await open(opened);
    }
  };
  await Promise.all(Array.from({ length: DIALLING }, lane));
}

class Closed extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** `lose` makes the sessions lose their connections. The time runs from the first one that has. */
async function allBack(lose: () => Promise<unknown>): Promise<DropAnswer> {
  const lost = lose();
  await Promise.race([lost, closed(sockets)]);
  const startedAt = performance.now();
  let dialled = 0;
  let back = 0;
  let halfMs = 0;
  const comeBack = async (at: number): Promise<void> => {
    let failures = 0;
    let end = { code: 1006, reason: "", registeredMs: 60_000 as number | undefined, retryAfterMs: undefined };
    for (;;) {
      const plan = planRetry(end, failures, Math.random);
      failures = plan.failures;
      await Bun.sleep(plan.delayMs);
      dialled += 1;
      try {
        await open(at);
        back += 1;
        if (back === Math.ceil(sockets.length / 2)) halfMs = performance.now() - startedAt;
        return;
      } catch (error) {
        const code = error instanceof Closed ? error.code : 1006;
        end = { code, reason: "", registeredMs: undefined, retryAfterMs: undefined };
      }
    }
  };
  await lost;
  await Promise.all(sockets.map((_, place) => comeBack(place + 1)));
  return { halfMs, allMs: performance.now() - startedAt, dialled };
}

/** Breaks every connection. There is no close frame, as when a network connection breaks. */
async function dropAll(): Promise<void> {
  for (const socket of sockets) socket.terminate();
}

/** Resolves when the first of these connections has ended. */
function closed(of: readonly WebSocket[]): Promise<unknown> {
  return Promise.race(of.map((socket) => new Promise((resolve) => socket.addEventListener("close", resolve))));
}

/** Changes are spread over the interval, as in a real fleet. */
function keepChanging(everyMs: number): void {
  const parts = 20;
  let tick = 0;
  setInterval(() => {
    tick += 1;
    const slots = 4 + (Math.floor(tick / parts) % 2);
    const update = JSON.stringify({ type: "status_update", status: "idle", max_concurrency: slots });
    for (let at = tick % parts; at < sockets.length; at += parts) sockets[at]?.send(update);
  }, everyMs / parts);
}

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => {
  const question = message as IdleQuestion | DropQuestion | LoseQuestion; // The harness sends nothing else.
  const answer = async (): Promise<object> => {
    if ("drop" in question) return allBack(dropAll);
    if ("lose" in question) return allBack(() => Promise.all(sockets.map((socket) => closed([socket]))));
    await openUntil(question.sessions);
    if (question.changeEveryMs !== undefined) keepChanging(question.changeEveryMs);
    return {};
  };
  answer().then(
    (said) => process.send?.(said),
    (error: unknown) => {
      console.error("idle-workers", error);
      process.exit(1);
    },
  );
});
process.send?.({});
