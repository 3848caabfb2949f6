/** The MCP clients, in their own process: makes the calls that the harness asks for and reports how long they took. */
import {
  type CallQuestion,
  type CallTarget,
  type HeldAnswer,
  type LargeAnswer,
  type SmallAnswer,
  toolCall,
} from "./mcp-calls.ts";
import { quantile } from "./numbers.ts";

function run(question: CallQuestion): Promise<SmallAnswer | HeldAnswer | LargeAnswer> {
  switch (question.kind) {
    case "small":
      return callInTurn(question.target, question.body, question.count);
    case "held":
      return holdCalls(question);
    case "large":
      return callOnce(question.target, toolCall("large"));
    default:
      return question satisfies never;
  }
}

async function callOnce({ url, headers }: CallTarget, body: string): Promise<LargeAnswer> {
  const startedAt = performance.now();
  const response = await fetch(url, { method: "POST", headers, body });
  const answer = await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  return { milliseconds: performance.now() - startedAt, bytes: answer.byteLength };
}

async function callInTurn(target: CallTarget, body: string, count: number): Promise<SmallAnswer> {
  const times: number[] = [];
  for (let at = 0; at < count; at += 1) times.push((await callOnce(target, body)).milliseconds);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}

async function holdCalls({
  target,
  upstream,
  count,
  meanwhile,
}: Extract<CallQuestion, { kind: "held" }>): Promise<HeldAnswer> {
  const body = toolCall("held");
  const held = Promise.all(Array.from({ length: count }, () => callOnce(target, body)));
  // A refused call is reported at once, not when the harness times out.
  await Promise.race([fetch(`${upstream}/held/${count}`), held]);
  const small = await callInTurn(target, toolCall("small"), meanwhile);
  const releasedAt = performance.now();
  await fetch(`${upstream}/release`, { method: "POST" });
  await held;
  return { meanwhile: small, slowest: performance.now() - releasedAt };
}

process.on("disconnect", () => process.exit(0));
process.on("message", (message) => {
  // The harness sends nothing else.
  run(message as CallQuestion).then(
    (answer) => process.send?.(answer),
    (error: unknown) => {
      console.error("mcp-load", error);
      process.exit(1);
    },
  );
});
process.send?.({});
