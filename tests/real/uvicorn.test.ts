import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { PYTHON_PACKAGES } from "./environment.ts";
import { type PythonServer, startPython } from "./python.ts";
import { Stack } from "./stack.ts";

// Python and llama.cpp take seconds to start on a busy machine.
setDefaultTimeout(120_000);

describe.skipIf(lacks("a real uvicorn", PROGRAMS.python, PYTHON_PACKAGES))(
  "with a model server on a real uvicorn behind a worker",
  () => {
    let backend: PythonServer;
    let stack: Stack;

    beforeAll(async () => {
      backend = await startPython("model_server.py");
      stack = await Stack.start();
      await stack.worker(["llm", "--backend", `${backend.url}/v1`, "--max-concurrency", "8"]);
    });
    afterAll(async () => {
      await stack.stop();
      await backend.stop();
    });

    const ask = (content: string, more: object = {}): Promise<Response> =>
      stack.post("/v1/chat/completions", { model: "uvicorn", messages: [{ role: "user", content }], ...more });

    test("bursts that meet the end of its kept connections lose no request", async () => {
      const statuses: number[] = [];
      for (let burst = 0; burst < 8; burst += 1) {
        const answers = await Promise.all(
          Array.from({ length: 40 }, (_, index) => ask("?", { stream: index % 2 === 0 })),
        );
        for (const answer of answers) {
          await answer.bytes();
          statuses.push(answer.status);
        }
        // uvicorn closes kept connections after one second, while the next burst begins. A few milliseconds earlier or
        // later meet other moments of it.
        await Bun.sleep(990 + burst * 4);
      }
      expect(statuses.filter((status) => status !== 200)).toEqual([]);
    });

    test("prompts of all sizes arrive with their length declared", async () => {
      for (const size of [100, 130_000, 5_000_000]) {
        const answer = await ask("a".repeat(size));
        expect(answer.status).toBe(200);
        // The program beside this test answers so.
        const { arrived } = (await answer.json()) as { arrived: { bytes: number } };
        expect(arrived.bytes).toBeGreaterThan(size);
      }
    });
  },
);
