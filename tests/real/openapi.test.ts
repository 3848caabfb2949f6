import { expect, setDefaultTimeout, test } from "bun:test";
import { lacks, PROGRAMS } from "../support/lacks.ts";
import { PYTHON_PACKAGES } from "./environment.ts";
import { runClient } from "./python.ts";
import { Stack } from "./stack.ts";

// Python takes seconds to start on a busy machine.
setDefaultTimeout(120_000);

test.skipIf(lacks("a strict validator of OpenAPI", PROGRAMS.python, PYTHON_PACKAGES))(
  "a strict validator finds no fault in the OpenAPI document",
  async () => {
    const stack = await Stack.start();
    const { version, paths, faults } = await runClient("check_openapi.py", [`${stack.url}/api/client/openapi.json`]);
    await stack.stop();
    expect(version).toStartWith("3.0.");
    expect(paths).toBeGreaterThan(20);
    expect(faults).toEqual([]);
  },
);
