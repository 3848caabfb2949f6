import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApp } from "../src/app.ts";
import { systemClock } from "../src/system/clock.ts";
import { systemIds } from "../src/system/ids.ts";
import { silentLog } from "../src/system/log.ts";
import { defaultConfig } from "../tests/support/default-config.ts";

// Lints the OpenAPI document that the server serves, by the rules in redocly.yaml. `--print` prints the document instead.

const ROUTE = "http://localhost:8080/api/client/openapi.json";

const app = createApp(defaultConfig({ apiKeys: ["lint"], clientKeys: ["lint"] }), {
  clock: systemClock,
  ids: systemIds,
  log: silentLog,
});
const response = await app.handle(new Request(ROUTE));
const text = await response.text();
app.close();
if (!response.ok) {
  console.error(`The server responded with ${response.status} instead of its OpenAPI document: ${text.slice(0, 500)}`);
  process.exit(1);
}
if (process.argv.includes("--print")) {
  // Unlike process.stdout.write, this is complete before the process exits, also into a pipe.
  await Bun.write(Bun.stdout, text);
  process.exit(0);
}

const directory = mkdtempSync(join(tmpdir(), "moorage-openapi-"));
const file = join(directory, "openapi.json");
await Bun.write(file, text);
const lint = Bun.spawnSync(
  [process.execPath, "node_modules/@redocly/cli/bin/cli.js", "lint", file, "--config", "redocly.yaml"],
  {
    env: { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  },
);
rmSync(directory, { recursive: true });
process.exit(lint.exitCode);
