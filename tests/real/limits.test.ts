import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { sha256 } from "../../src/auth/keys.ts";
import { SAMPLE_CHAT_MODEL, type SampleBackend, startSampleBackend } from "../../src/demo/sample-backend.ts";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { PYTHON_PACKAGES } from "./environment.ts";
import { runClient } from "./python.ts";
import { Stack } from "./stack.ts";

const RATED = "rated-key-of-the-tests-with-real-programs";
const BUDGET = "budget-key-of-the-tests-with-real-programs";

// Python takes seconds to start on a busy machine.
setDefaultTimeout(120_000);

describe.skipIf(lacks("the official Python SDK", PROGRAMS.python, PYTHON_PACKAGES))("a key with limits", () => {
  const folder = temporaryDirectory();
  let backend: SampleBackend;
  let stack: Stack;

  beforeAll(async () => {
    const file = join(folder.path, "keys.yaml");
    await Bun.write(
      file,
      `keys:
  - { name: rated, key: "sha256:${sha256(RATED)}", limits: { requests_per_minute: 1, on_limit: refuse } }
  - { name: budget, key: "sha256:${sha256(BUDGET)}", limits: { tokens_per_day: 1 } }
`,
    );
    backend = startSampleBackend();
    stack = await Stack.start({ KEYS_FILE: file });
    await stack.worker(["llm", "--backend", backend.url]);
  });
  afterAll(async () => {
    await stack.stop();
    await backend.stop();
    folder.remove();
  });

  test("raises RateLimitError in the official Python SDK, with headers, and a used-up budget is not retried", async () => {
    const seen = await runClient("openai_limits.py", [`${stack.url}/v1`, SAMPLE_CHAT_MODEL, RATED, BUDGET]);
    expect(seen).toMatchObject({
      first: { status: 200, limit: "1" },
      rated: { error: "RateLimitError", code: "rate_limit_exceeded", should_retry: null },
      within: { status: 200 },
      spent: { error: "RateLimitError", code: "insufficient_quota", should_retry: "false", requests: 1 },
    });
    expect(seen["rated"]).toMatchObject({
      headers: { "x-ratelimit-limit-requests": "1", "x-ratelimit-remaining-requests": "0" },
    });
    expect(seen["spent"]).toMatchObject({
      headers: { "x-ratelimit-limit-tokens": "1", "x-ratelimit-remaining-tokens": "0" },
    });
  });
});
