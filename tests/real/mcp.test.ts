import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { PYTHON, PYTHON_PACKAGES } from "./environment.ts";
import { type PythonServer, runClient, startPython } from "./python.ts";
import { Stack } from "./stack.ts";

const STDIO = `${PYTHON} ${join(import.meta.dir, "programs/mcp_server.py")} stdio`;
const EVERYTHING = `${process.execPath} ${join(import.meta.dir, "../../node_modules/.bin/mcp-server-everything")} stdio`;
const ERAS = { legacy: "2025-11-25", auto: "2026-07-28" } as const;

// Python and llama.cpp take seconds to start on a busy machine.
setDefaultTimeout(120_000);

describe.skipIf(lacks("real FastMCP servers", PROGRAMS.python, PYTHON_PACKAGES))(
  "with real FastMCP servers behind relays",
  () => {
    let stack: Stack;
    const servers: PythonServer[] = [];

    beforeAll(async () => {
      stack = await Stack.start();
      for (const id of ["http", "stateless"]) {
        const server = await startPython("mcp_server.py", [id]);
        servers.push(server);
        await stack.worker(["mcp", "--id", id, "--url", `${server.url}/mcp`]);
      }
      await stack.worker(["mcp", "--id", "stdio", "--stdio", STDIO]);
      await stack.worker(["mcp", "--id", "everything", "--stdio", EVERYTHING]);
    });
    afterAll(async () => {
      await stack.stop();
      for (const server of servers) await server.stop();
    });

    for (const relay of ["http", "stateless", "stdio"]) {
      for (const [mode, era] of Object.entries(ERAS)) {
        test(`the official Python SDK of the ${era} era does everything over the relay "${relay}"`, async () => {
          expect(await runClient("mcp_sdk.py", [`${stack.url}/api/mcp/id/${relay}/mcp`, mode])).toEqual({
            era,
            server: "harbour",
            tools: ["add", "fail", "length", "repeat", "steps"],
            sum: "42",
            many: Array.from({ length: 20 }, (_, index) => String(index + 1)),
            steps: "done",
            progress: [1, 2, 3].map((step) => [step, 3, `step ${step}`]),
            failed: true,
            large_answer: 400_000,
            large_question: "300000",
            resource: "burning",
            prompt: "Greet Ann.",
            again: "2",
          });
        });
      }
    }

    const call = (relay: string, mode: string, tool: string, input: object) =>
      runClient("mcp_call.py", [`${stack.url}/api/mcp/id/${relay}/mcp`, mode, tool, JSON.stringify(input)]);

    for (const mode of Object.keys(ERAS)) {
      test(`server-everything over stdio is called by the official Python SDK in mode "${mode}"`, async () => {
        const seen = await call("everything", mode, "echo", { message: "ahoy" });
        expect(seen["text"]).toBe("Echo: ahoy");
        expect(seen["tools"]).toContain("get-sum");
      });

      test(`an answer of more than 1 MiB from a stdio server reaches the official Python SDK in mode "${mode}"`, async () => {
        // FastMCP sends a text twice, so its message is twice as long.
        const { text } = await call("stdio", mode, "repeat", { text: "x".repeat(1000), times: 700 });
        expect(text).toBe("x".repeat(700_000));
      });
    }
  },
);
