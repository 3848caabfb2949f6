import { describe, expect, test } from "bun:test";
import { readServersFile } from "../../../../src/worker/mcp/servers-file.ts";

function read(text: string) {
  return readServersFile("mcp.yaml", { env: {}, readFile: () => text });
}

describe("a field of a servers file that was left empty", () => {
  test.each([
    "auth_token",
    "auth_token_env",
    "callers",
    "access",
    "oauth",
    "tools",
    "prompts",
    "resources",
    "authToken",
  ])("opens nothing: %s", (field) => {
    const { servers, faults } = read(`mcpServers:\n  files:\n    command: x\n    ${field}:\n`);
    expect(servers).toEqual([]);
    expect(faults.join()).toContain(`files.${field}`);
  });

  test.each(["env", "cwd", "description", "includeTools", "alwaysAllow"])(
    "means nothing where programs write null: %s",
    (field) => {
      expect(read(`mcpServers:\n  files:\n    command: x\n    ${field}:\n`)).toMatchObject({
        faults: [],
        servers: [{}],
      });
    },
  );
});

test("a list of tools in a file of Codex restricts, and a map of approvals does not", () => {
  const rules = (tools: string) => read(`[mcp_servers.files]\ncommand = "x"\n${tools}\n`).servers[0]?.rules;
  expect(rules('tools = ["read_*"]')).toEqual([{ tools: ["read_*"] }]);
  expect(rules('[mcp_servers.files.tools.write]\napproval_mode = "approve"')).toBeUndefined();
});
