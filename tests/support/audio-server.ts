import type { KeySources } from "../../src/auth/keys.ts";
import type { Deps } from "../../src/system/deps.ts";
import { FORM_TYPE, type FormField, formBytes } from "./audio-form.ts";
import type { Config } from "./default-config.ts";
import { NativeWorker, type RequestFrame } from "./native-worker.ts";
import { CLIENT_KEY, TestServer } from "./test-server.ts";

/** The request that a worker received for one upload. */
export interface Received {
  readonly request: RequestFrame;
  readonly body: Buffer;
}

/** A server with the audio plugin, and common steps of its tests. */
export class AudioServer extends TestServer {
  constructor(overrides: Partial<Config> = {}, deps: Partial<Deps> = {}, keys?: (config: Config) => KeySources) {
    super({ plugins: ["llm", "asr"], ...overrides }, deps, undefined, keys);
  }

  /** Posts a form; `init.body` replaces its bytes. */
  transcribe(fields: readonly FormField[], init: RequestInit = {}): Promise<Response> {
    return this.fetch("/v1/audio/transcriptions", {
      method: "POST",
      body: formBytes(fields),
      ...init,
      headers: { "content-type": FORM_TYPE, ...init.headers },
    });
  }

  listener(register: object = {}): Promise<NativeWorker> {
    return NativeWorker.connect({
      url: this.url,
      path: "/api/asr/connect",
      register: { client_key: CLIENT_KEY, models: ["m"], max_concurrency: 1, ...register },
    });
  }

  async gauge(name: string): Promise<number> {
    const text = await (await this.fetch("/metrics")).text();
    const line = text
      .split("\n")
      .find((each) => each.startsWith(`${name} `) || each.startsWith(`${name}{plugin="asr"}`));
    return Number(line?.split(" ").at(-1) ?? Number.NaN);
  }
}

/** Receives a whole request and grants credit for every byte as it arrives. */
export async function receive(worker: NativeWorker): Promise<Received> {
  const request = await worker.request();
  return { request, body: await receiveRest(worker, request) };
}

/** Receives the body of a request whose head has been received. */
export async function receiveRest(worker: NativeWorker, request: RequestFrame): Promise<Buffer> {
  const pieces: Uint8Array[] = [request.body];
  for (let end = request.end; !end; ) {
    const frame = await worker.frames.take("more of the upload");
    if (frame.type !== "request_data" || frame.id !== request.id) throw new Error(`got ${frame.type} instead`);
    pieces.push(frame.body);
    end = frame.end;
    if (frame.body.length > 0) worker.credit(request.id, frame.body.length);
  }
  return Buffer.concat(pieces);
}
