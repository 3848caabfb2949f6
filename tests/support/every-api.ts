import { startSampleBackend } from "../../src/demo/sample-backend.ts";
import { startScriptedModel } from "./scripted-model.ts";

/** A model server with OpenAI's API of the demo's sample, and with Anthropic's. */
export interface EveryApi {
  /** Base URL for a worker's `--backend`. */
  readonly url: string;
  stop(): Promise<void>;
}

/** What its model says to a request of Anthropic's API. */
export const ANTHROPIC_ANSWER = "There is no such tool.";

export function startEveryApi(): EveryApi {
  const sample = startSampleBackend({ delayMs: 1 });
  const messages = startScriptedModel("no-tool", {});
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const base = pathname === "/v1/messages" ? messages.url : new URL(sample.url).origin;
      const { method, body } = request;
      const headers = { "content-type": request.headers.get("content-type") ?? "application/json" };
      return fetch(`${base}${pathname}${search}`, { method, headers, body });
    },
  });
  return {
    url: `${server.url.origin}/v1`,
    async stop() {
      await server.stop(true);
      await messages.stop();
      await sample.stop();
    },
  };
}
