import { expect, test } from "bun:test";
import { secretVariables } from "../../../../src/worker/mcp/secret-variables.ts";

test("the variables with secrets are those of tokens and of headers, of every entry", () => {
  const entries: readonly [string, unknown][] = [
    ["named", { command: "x", auth_token_env: "A_TOKEN", env: { PATH: `\${PATH}:/srv` } }],
    ["used", { command: "x", auth_token: `\${B_TOKEN}-\${env:C_TOKEN:-none}` }],
    ["off", { command: "x", auth_token_env: "D_TOKEN", disabled: true }],
    [
      "upstream",
      {
        url: "http://127.0.0.1:1/mcp",
        headers: { authorization: `Bearer \${E_TOKEN}`, "x-n": 1, "x-i": `\${input:f-token}` },
      },
    ],
    ["twice", { command: "x", auth_token_env: "A_TOKEN" }],
    ["broken", "text"],
  ];
  expect(secretVariables(entries)).toEqual(["A_TOKEN", "B_TOKEN", "C_TOKEN", "D_TOKEN", "E_TOKEN", "F_TOKEN"]);
});
