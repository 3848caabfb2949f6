import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { makeSignInHome, type SignInHome } from "../support/sign-in-home.ts";
import { PYTHON, PYTHON_PACKAGES } from "./environment.ts";
import { runClient } from "./python.ts";
import { API_KEY, Stack } from "./stack.ts";

const STDIO = `${PYTHON} ${join(import.meta.dir, "programs/mcp_server.py")} stdio`;

// Python takes seconds to start on a busy machine.
setDefaultTimeout(120_000);

describe.skipIf(lacks("Python clients that sign in", PROGRAMS.python, PYTHON_PACKAGES))(
  "with a connector relay, whose clients sign in to the server,",
  () => {
    let stack: Stack;
    let home: SignInHome;
    beforeAll(async () => {
      stack = await Stack.start();
      await stack.worker(["mcp", "--id", "harbour", "--access", "connector", "--stdio", STDIO]);
      home = makeSignInHome(API_KEY);
    });
    afterAll(async () => {
      await stack.stop();
      home.remove();
    });

    const tools = expect.arrayContaining(["add", "length"]);

    test.each(["legacy", "auto"])("the official Python SDK signs in once, in mode %p", async (mode) => {
      const env = { ...home.env, SIGN_IN_PRINTS: "1" };
      const seen = await runClient("mcp_sign_in.py", [`${stack.url}/api/mcp/id/harbour/mcp`, mode], env);
      expect(seen).toEqual({ tools, sum: "42", again: "42", sign_ins: 1, refreshed: true });
    });

    test("FastMCP's client signs in by the browser that it opens", async () => {
      // Python's `webbrowser` waits for a browser whose command does not end with "&".
      const env = { ...home.env, BROWSER: `${home.env["BROWSER"]} %s &` };
      const seen = await runClient("fastmcp_sign_in.py", [`${stack.url}/api/mcp/id/harbour/mcp`], env);
      expect(seen).toEqual({ tools, sum: "42" });
    });
  },
);
