import { describe, expect, test } from "bun:test";
import { READY_CLIENTS, type ReadyClient, readyLines } from "../../../../src/plugins/mcp/catalog/ready-lines.ts";
import { readServersFile } from "../../../../src/worker/mcp/servers-file.ts";

const URL = "https://moorage.example/api/mcp/id/tools/mcp";

function line(client: ReadyClient, access: string | undefined, id = "tools", url = URL) {
  return readyLines({ id, url, access }).find((each) => each.client === client) ?? expect.unreachable();
}

describe("the ready lines of a relay", () => {
  test.each(["none", "token", "oauth", "connector", undefined])(
    "are there for every client with access %s",
    (access) => {
      expect(readyLines({ id: "tools", url: URL, access }).map(({ client }) => client)).toEqual([...READY_CLIENTS]);
    },
  );

  test("of programs with a shell are one command, with the token in a variable", () => {
    expect(line("claude-code", "none").text).toBe(`claude mcp add --transport http tools ${URL}`);
    expect(line("claude-code", "connector")).toMatchObject({
      text: `claude mcp add --transport http tools ${URL}`,
      note: "Then enter /mcp in Claude Code and sign in.",
    });
    expect(line("gemini", "token")).toMatchObject({
      text: `gemini mcp add --scope user --transport http tools ${URL} --header 'Authorization: Bearer $\{TOOLS_TOKEN}'`,
      note: "Put the token of the relay, or your own as one of its callers, into the variable TOOLS_TOKEN.",
    });
  });

  test("of hosted assistants are the URL, and there is none for a relay with a token", () => {
    for (const client of ["claude-web", "chatgpt"] as const) {
      expect(line(client, "connector").text).toBe(URL);
      expect(line(client, "none").note).toContain("no authentication");
      expect(line(client, "token")).toMatchObject({ text: null, note: expect.stringContaining("--access connector") });
      // A relay that does not say may have a token.
      expect(line(client, undefined).text).toBeNull();
    }
  });

  test.each(["cursor", "vscode", "windsurf"] as const)(
    "of %s are a file that names the URL and the token's variable",
    (client) => {
      for (const access of ["none", "token", "connector"]) {
        const env = { TOOLS_TOKEN: "t-1" };
        const { servers, faults } = readServersFile("f", { env, readFile: () => line(client, access).text ?? "" });
        expect(faults).toEqual([]);
        expect(servers).toMatchObject([
          { name: "tools", source: { url: URL, headers: access === "token" ? [["authorization", "Bearer t-1"]] : [] } },
        ]);
      }
    },
  );

  test.each([
    ["-rf", "rf", "RF_TOKEN"],
    ["a.b:c@d", "a-b-c-d", "A_B_C_D_TOKEN"],
    ["9lives", "9lives", "_9LIVES_TOKEN"],
    ["...", "relay", "RELAY_TOKEN"],
  ])("for the id %s call the server %s, which no shell and no client takes for anything else", (id, name, variable) => {
    const { text } = line("claude-code", "token", id);
    expect(text).toContain(` ${name} ${URL} `);
    expect(text).toContain(`$\{${variable}}`);
  });

  test("quote a URL that means something to a shell", () => {
    const { text } = line("claude-code", "none", "tools", "https://[::1]/x?a=$(id)&b='c'");
    expect(text).toBe(`claude mcp add --transport http tools 'https://[::1]/x?a=$(id)&b='\\''c'\\'''`);
  });
});
