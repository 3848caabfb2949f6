import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PythonServer, runPython, startPython } from "./python.ts";

/** The name under which llama.cpp serves the model. */
export const MODEL = "harbour";
/** What the model answers to everything, unless the question contains "forever" or tools are offered. */
export const ANSWER = "The harbour light burns all night for every ship at sea.";

/** A folder with the model, from which llama.cpp's own server starts in its three modes. */
export class Llama {
  readonly #folder: string;
  readonly #running: PythonServer[] = [];

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async prepare(): Promise<Llama> {
    const folder = await mkdtemp(join(tmpdir(), "moorage-llama-"));
    await runPython("make_model.py", [join(folder, "model.gguf")]);
    return new Llama(folder);
  }

  /** Starts llama.cpp with `slots` places that share `context` tokens. The URL has no path. */
  async serve(mode: "chat" | "embed" | "rerank", slots: number, context: number, port = 0): Promise<PythonServer> {
    const model = join(this.#folder, "model.gguf");
    const server = await startPython("llama_server.py", [
      model,
      MODEL,
      mode,
      String(slots),
      String(context),
      String(port),
    ]);
    this.#running.push(server);
    return server;
  }

  async stop(): Promise<void> {
    for (const each of this.#running) await each.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
