import { decodeFrame, encodeResponse } from "../../src/wire/frame.ts";
import { NATIVE_PROTOCOL } from "../../src/wire/protocol.ts";
import { CLIENT_KEY } from "../moorage.ts";

const JSON_HEAD = { status: 200, headers: [["content-type", "application/json"]] } as const;
const EVENT_HEAD = { status: 200, headers: [["content-type", "text/event-stream"]] } as const;
const ANSWER = new TextEncoder().encode('{"choices":[]}');
const EVENT = new TextEncoder().encode("data: 0\n\n");

/**
 * What a scripted worker does with each request: `answers` at once, `begins` a stream and sends no more, or `holds` it without
 * a first byte.
 */
export type Manner = "answers" | "begins" | "holds";

/** A worker in the process of the benchmark. */
export interface HeldWorker {
  /** Number of requests that it has received. */
  readonly asked: number;
  close(): void;
}

/** Connects a worker of one model. Resolves when it is registered. */
export function connectWorker(url: string, model: string, manner: Manner): Promise<HeldWorker> {
  let asked = 0;
  // Bun's client accepts protocols in an options object that the DOM's type does not know.
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/llm/connect`, {
    protocols: [NATIVE_PROTOCOL],
  } as unknown as string[]);
  socket.binaryType = "nodebuffer";
  // Frames are in plain memory, as the DOM's type requires.
  const send = (frame: Uint8Array): void => socket.send(frame as Uint8Array<ArrayBuffer>);
  return new Promise((resolve, reject) => {
    socket.onopen = () =>
      socket.send(JSON.stringify({ type: "register", client_key: CLIENT_KEY, models: [model], max_concurrency: 500 }));
    socket.onmessage = ({ data }: MessageEvent<string | Buffer>) => {
      if (typeof data === "string") {
        if (!data.includes('"registered"')) return;
        return resolve({
          get asked() {
            return asked;
          },
          close: () => socket.close(),
        });
      }
      const frame = decodeFrame(data);
      if (frame.type !== "request") return;
      asked += 1;
      if (manner === "answers") send(encodeResponse(frame.id, JSON_HEAD, ANSWER, true));
      if (manner === "begins") send(encodeResponse(frame.id, EVENT_HEAD, EVENT, false));
    };
    socket.onclose = ({ reason }) => reject(new Error(`the worker was disconnected: ${reason}`));
  });
}
