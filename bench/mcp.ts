import type { Child, Children, Helper } from "./children.ts";
import {
  type CallQuestion,
  type CallTarget,
  type HeldAnswer,
  LARGE_BYTES,
  type LargeAnswer,
  SMALL_CHARS,
  type SmallAnswer,
  toolCall,
} from "./mcp-calls.ts";
import {
  type Crowd,
  heldGoals,
  heldTable,
  largeGoal,
  largeTable,
  smallGoals,
  smallTable,
  type Way,
} from "./mcp-report.ts";
import { API_KEY, CLIENT_KEY, type MoorageServer, startServer, startWorker, withCpu } from "./moorage.ts";
import { MIB } from "./passage.ts";
import type { PartResult } from "./report.ts";
import { interleave } from "./rounds.ts";

/** Calls in progress on one relay at once. */
const HELD = 200;
const JSON_TYPE = { "content-type": "application/json" };
/** The headers of a client of the 2025 era. */
export const MCP_HEADERS = {
  ...JSON_TYPE,
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": "2025-11-25",
};
/** The same within a session, of which the plain MCP server knows nothing. */
export const SESSION_HEADERS = { ...MCP_HEADERS, "mcp-session-id": "5f0c1c3e-8f0b-4d43-9a4e-0f1a2b3c4d5e" };

/** Measures what a relay adds to a tool call, compared with what a worker adds to a chat; many calls at once; a large result. */
export async function measureMcp(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 3 : 9;
  const calls = isQuick ? 500 : 2000;
  const meanwhile = isQuick ? 100 : 500;
  const backend = await children.helper("mcp-backend.ts");
  const load = await children.helper("mcp-load.ts");
  const server = await startServer(children);
  await startWorker(children, "llm", server, backend, "bench-worker");
  await startRelay(children, server, backend);

  const upstream = backend.greeting.url ?? "";
  const direct: CallTarget = { url: `${upstream}/mcp`, headers: SESSION_HEADERS };
  const relayed: CallTarget = { url: `${server.url}/api/mcp/id/bench/mcp`, headers: SESSION_HEADERS };
  const ask = <Answer>(question: CallQuestion): Promise<Answer> => load.ask<Answer>(question);

  const ways = waysOf(server, upstream, direct, relayed);
  const small = await interleave(ways, rounds, async (way) => {
    const question: CallQuestion = { kind: "small", target: way.target, body: way.body, count: calls };
    const { cpu, value } = await withCpu(way.pid ?? backend.pid, () => ask<SmallAnswer>(question));
    return { ...value, cpu: cpu / calls };
  });
  const crowds: readonly Crowd[] = [
    { name: "direct", target: direct, count: 1 },
    { name: "direct", target: direct, count: HELD },
    { name: "through the relay", target: relayed, count: 1 },
    { name: "through the relay", target: relayed, count: HELD },
  ];
  const held = await interleave(crowds, rounds, ({ target, count }) =>
    ask<HeldAnswer>({ kind: "held", target, upstream, count, meanwhile }),
  );
  const large = await interleave([direct, relayed], rounds, async (target) => {
    const answer = await ask<LargeAnswer>({ kind: "large", target });
    if (answer.bytes < LARGE_BYTES) throw new Error(`${answer.bytes} bytes of the large result arrived`);
    return answer.milliseconds;
  });
  return {
    goals: [...smallGoals(small), ...heldGoals(HELD, held), largeGoal(large)],
    report: {
      title: "MCP",
      method:
        `${rounds} interleaved rounds, after one warm-up round, one call after the other over kept-alive connections, ${calls} per round. A chat and a tool call have responses of ${SMALL_CHARS} ` +
        "characters from the same plain upstream (`bench/mcp-backend.ts`) and go through the same server, over a worker and over a relay. Added latency is the median through " +
        `the server minus that of direct calls, in the same round. Then an upstream holds 1 call and ${HELD} calls, all on one relay, ` +
        `while ${meanwhile} other calls are made one after the other, and then releases all at once. The last table is one result of ${LARGE_BYTES / MIB} MiB.`,
      tables: [smallTable(ways, small), heldTable(crowds, held), largeTable(large)],
    },
  };
}

function waysOf(server: MoorageServer, upstream: string, direct: CallTarget, relayed: CallTarget): readonly Way[] {
  const tool = toolCall("small", { question: "What floats in a harbour?" });
  const chat = JSON.stringify({
    model: "bench-chat",
    messages: [{ role: "user", content: "What floats in a harbour?" }],
  });
  const path = "/v1/chat/completions";
  const keyed = { ...JSON_TYPE, authorization: `Bearer ${API_KEY}` };
  return [
    { name: "chat, direct", target: { url: `${upstream}${path}`, headers: JSON_TYPE }, body: chat, pid: undefined },
    {
      name: "chat, through a worker",
      target: { url: `${server.url}${path}`, headers: keyed },
      body: chat,
      pid: server.pid,
    },
    { name: "tool call, direct", target: direct, body: tool, pid: undefined },
    { name: "tool call, through a relay", target: relayed, body: tool, pid: server.pid },
  ];
}

/** Starts a relay as its users do. Resolves when the server knows it. */
export function startRelay(children: Children, server: MoorageServer, backend: Helper): Promise<Child> {
  const args = ["src/worker/main.ts", "mcp", "--server", server.url, "--url", `${backend.greeting.url}/mcp`];
  return children.program([...args, "--id", "bench"], { CLIENT_KEY, LOG_FORMAT: "json" }, "link.opened");
}
