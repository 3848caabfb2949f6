import { expect, test } from "bun:test";
import { findTools } from "../../../../../src/worker/mcp/search/found-tools.ts";

const TOOLS = [
  { name: "files__read_file", description: "Reads a file from the disk." },
  { name: "files__write_file", description: "Writes a file to the disk." },
  { name: "tickets__createIssue", description: "Opens a ticket.", inputSchema: { properties: { assignee: {} } } },
  { name: "mail__send", title: "Send a message", description: "Delivers mail." },
];

function found(question: string, most = 3): readonly unknown[] {
  return findTools(TOOLS, question, most).map(({ name }) => name);
}

test("the best fit comes first: the rarer a word, and the closer to the name, the better", () => {
  expect(found("read a file")[0]).toBe("files__read_file");
  expect(found("writing files")[0]).toBe("files__write_file");
  expect(found("create an issue")[0]).toBe("tickets__createIssue");
  expect(found("message")).toEqual(["mail__send"]);
  expect(found("assignee")).toEqual(["tickets__createIssue"]);
});

test("a whole name finds its tool before any other", () => {
  expect(found("Mail__SEND")[0]).toBe("mail__send");
});

test("nothing fits a question without any of the words, and no more come than are wanted", () => {
  expect(found("weather")).toEqual([]);
  expect(found("")).toEqual([]);
  expect(found("file", 1)).toHaveLength(1);
});

test("tools without usable fields do no harm", () => {
  expect(findTools([{ name: 7, description: {}, inputSchema: [] }], "read", 3)).toEqual([]);
});
