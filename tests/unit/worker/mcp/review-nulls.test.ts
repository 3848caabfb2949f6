import { expect, test } from "bun:test";
import { readServersFile } from "../../../../src/worker/mcp/servers-file.ts";
const read = (text: string) => readServersFile("f", { env: { A: "x" }, readFile: () => text } as any);
for (const field of ["auth_token", "auth_token_env", "callers", "access", "tools", "resources", "oauth"])
  test(`an empty ${field} is a fault, and opens nothing`, () => {
    const r = read(`mcpServers:\n  files:\n    command: x\n    ${field}:\n`);
    console.log(field, JSON.stringify(r));
    expect(r.faults.length).toBeGreaterThan(0);
  });
test("codex tools list", () => {
  const r = read(`[mcp_servers.files]\ncommand = "x"\ntools = ["read_*"]\n`);
  console.log(JSON.stringify(r));
  expect(r.faults.length + (r.servers[0]?.rules?.length ?? 0)).toBeGreaterThan(0);
});
