/** A client of an MCP server on standard input and output, in its own process: makes calls in turn and reports how long they took. */
import { join } from "node:path";
import { type SmallAnswer, toolCall } from "./mcp-calls.ts";
import { quantile } from "./numbers.ts";

const child = Bun.spawn([process.execPath, join(import.meta.dir, "hub-server.ts"), "0"], {
  stdio: ["pipe", "pipe", "inherit"],
});
let wake = (): void => {};
const read = async (): Promise<void> => {
  for await (const bytes of child.stdout) if (bytes.includes(10)) wake();
};
void read();

async function callInTurn(count: number): Promise<SmallAnswer> {
  const line = `${toolCall("small")}\n`;
  const times: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const startedAt = performance.now();
    const answered = new Promise<void>((resolve) => (wake = resolve));
    child.stdin.write(line);
    await child.stdin.flush();
    await answered;
    times.push(performance.now() - startedAt);
  }
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

process.on("disconnect", () => {
  child.kill();
  process.exit(0);
});
process.on("message", (message) => {
  // The harness sends nothing else.
  const { count } = message as { readonly count: number };
  void callInTurn(count).then((answer) => process.send?.(answer));
});
process.send?.({});
