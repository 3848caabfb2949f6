import { describe, expect, test } from "bun:test";
import { RpcVerdict } from "../../../../src/plugins/mcp/rpc-verdict.ts";

/** The verdict on an answer that came in pieces of this many bytes. */
function verdictOn(text: string, isEventStream: boolean, pieceBytes: number): boolean {
  const verdict = new RpcVerdict();
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) verdict.add(bytes.subarray(at, at + pieceBytes));
  return verdict.isFailure(isEventStream);
}

const PIECES = [1, 1000, 1_000_000];
const LONG = "x".repeat(20_000);

test.each([
  ['{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}', true],
  ['{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}', true],
  ['{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError": false}}', false],
  ['{"jsonrpc":"2.0","id":1,"result":{"content":[{"isError":true,"error":1}]}}', false],
  ['{"jsonrpc":"2.0","id":1,"result":{"text":"\\"error\\": {}"}}', false],
  ['{"result":{}}', false],
  ["", false],
  ['"error"', false],
  [`{"error":{"message":"${"x".repeat(5000)}"}}`, true],
  [`{"jsonrpc":"2.0","id":1,"result":{"content":"${LONG}","isError":true}}`, true],
  [`{"jsonrpc":"2.0","id":1,"result":{"content":"${LONG}","isError":false}}`, false],
  [`{"jsonrpc":"2.0","id":1,"result":{"content":"${LONG},\\"isError\\":true}"}}`, false],
])("an answer of %p is a failure: %p", (text, isFailure) => {
  for (const pieceBytes of PIECES) expect(verdictOn(text, false, pieceBytes)).toBe(isFailure);
});

describe("an event stream is a failure if the last response in it is one:", () => {
  const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"error":1}}';
  const failed = '{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":true}}';
  const fine = '{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":false}}';
  test.each([
    [`id: 0\ndata: \n\nevent: message\ndata: ${progress}\n\nevent: message\ndata: ${failed}\n\n`, true],
    [`event: message\r\ndata: ${failed}\r\n\r\n: ping\r\n\r\n`, true],
    [`data: {"jsonrpc":"2.0","id":1,\ndata: "error":{"code":1}}\n\n`, true],
    [`data: ${failed}\n\ndata: ${progress}\n\n`, true],
    [`data: ${progress}\n\ndata: ${fine}\n\n`, false],
    [`data: ${failed}\n\ndata: ${fine}\n\n`, false],
    [`data: {"result":{"content":"${LONG}","isError":true}}\n\n`, true],
    [`${`data: ${progress}\n\n`.repeat(1000)}data: ${failed}\n\n`, true],
    [`data: ${progress}\n\n`, false],
    [": nothing\n\n", false],
  ])("%#", (text, isFailure) => {
    for (const pieceBytes of PIECES) expect(verdictOn(text, true, pieceBytes)).toBe(isFailure);
  });
});

test("of a long answer no more is held than its end", () => {
  const verdict = new RpcVerdict();
  const piece = new Uint8Array(1000);
  for (let at = 0; at < 100_000; at += 1) verdict.add(piece);
  expect(verdict.isFailure(true)).toBe(false);
});
