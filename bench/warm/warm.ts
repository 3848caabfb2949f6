import type { Children } from "../children.ts";
import { API_KEY, type MoorageServer, startServer, startWorker } from "../moorage.ts";
import { median, quantile, ratios, spread } from "../numbers.ts";
import type { PartResult } from "../report.ts";
import { type AgentFigures, type AgentLoad, type AgentTarget, talk } from "./agents.ts";
import { startModelServers } from "./model-servers.ts";
import { measureRecognition, measureTable } from "./recognition.ts";

const WORKERS = 3;
const SLOTS = 2;
/** As many agents as there are slots, and twice as many, so that half of them wait. */
const FEW = WORKERS * SLOTS;
const MANY = 2 * FEW;
const MOST_COMPUTED = 1.15;
/** Tokens of an answer. */
const MAX_TOKENS = 24;

/** One way to send the same conversations. */
interface Manner {
  readonly name: string;
  readonly agents: number;
  readonly toTarget: (agent: number, conversation: number) => Partial<AgentTarget>;
}

const PATH = "/v1/chat/completions";
const pinned: Manner["toTarget"] = (agent) => ({ url: `/api/llm/id/${workerId(agent % WORKERS)}${PATH}` });

const PINNED: Manner = { name: "pinned", agents: FEW, toTarget: pinned };

const MANNERS: readonly Manner[] = [
  { name: "pool", agents: FEW, toTarget: () => ({}) },
  PINNED,
  {
    name: "pool, with x-session-id",
    agents: FEW,
    toTarget: (agent, conversation) => ({ headers: { "x-session-id": `agent ${agent} ${conversation}` } }),
  },
  {
    name: "pool, with prompt_cache_key",
    agents: FEW,
    toTarget: (agent, conversation) => ({ body: { prompt_cache_key: `agent ${agent} ${conversation}` } }),
  },
  { name: "pool, more agents than slots", agents: MANY, toTarget: () => ({}) },
  { name: "pinned, more agents than slots", agents: MANY, toTarget: pinned },
];

/** Measures how much of what some worker has cached is computed again, against agents that each stay with one worker. */
export async function measureWarm(children: Children, isQuick: boolean): Promise<PartResult> {
  const rounds = isQuick ? 1 : 3;
  const [conversations, turns] = isQuick ? [1, 4] : [2, 8];
  const { kind, model, backends } = await startModelServers(children, WORKERS, SLOTS);
  const server = await startServer(children);
  for (const [at, backend] of backends.entries())
    await startWorker(children, "llm", server, backend, workerId(at), ["--max-concurrency", String(SLOTS)]);
  /** The words of all manners are of one length, and differ. */
  const run = (at: number, load: Pick<AgentLoad, "conversations" | "turns" | "seed">): Promise<AgentFigures> => {
    const { agents, toTarget } = MANNERS[at] ?? PINNED;
    return talk({ ...load, agents, name: `manner ${at}` }, (agent, conversation) =>
      completeTarget(server, model, toTarget(agent, conversation)),
    );
  };
  // From here on every slot has had a prompt, as in a run that has lasted for a while.
  await run(MANNERS.indexOf(PINNED), { conversations: 1, turns: 1, seed: 0 });
  const figures: AgentFigures[][] = MANNERS.map(() => []);
  for (let seed = 1; seed <= rounds; seed += 1) {
    for (const [at, each] of figures.entries()) each.push(await run(at, { conversations, turns, seed }));
  }
  const computed = figures.map((each) => each.map(({ promptTokens, cachedTokens }) => promptTokens - cachedTokens));
  const [pool = [], own = []] = computed;
  const factor = ratios(pool, own);
  return {
    goals: [
      {
        what: `prompt tokens computed by ${kind}: pool / agents pinned to workers`,
        measured: `${spread(factor, 2)} ×`,
        wanted: `at most ${MOST_COMPUTED} ×`,
        isMet: median(factor) <= MOST_COMPUTED,
      },
      measureTable(),
    ],
    report: {
      title: "Warm",
      method:
        `${WORKERS} workers, each with ${SLOTS} slots of ${kind}. ${FEW} agents, then ${MANY}, with ${conversations} conversations of ${turns} turns each, one ` +
        "after the other. All have the same system prompt, and each turn sends the whole conversation. Pinned agents name their " +
        `worker in the URL. ${rounds} interleaved rounds, each with words of its own, after one request of each agent. Tokens are those that ` +
        "the model servers state; times depend on what else the machine does. The second table has the work of this process for one " +
        "request: to recognize it, to look for its workers and to remember one of them, beside parsing its body.",
      tables: [
        {
          head: [
            "agents",
            "sent to",
            "prompt tokens",
            "reused %",
            "computed",
            "computed / pinned",
            "answer p50 ms",
            "p95 ms",
          ],
          rows: MANNERS.map((manner, at) => {
            const yardstick = computed[manner.agents === FEW ? 1 : MANNERS.length - 1] ?? [];
            return toRow(manner, figures[at] ?? [], ratios(computed[at] ?? [], yardstick));
          }),
        },
        measureRecognition(),
      ],
    },
  };
}

function completeTarget(
  server: MoorageServer,
  model: string,
  { url, headers, body }: Partial<AgentTarget>,
): AgentTarget {
  return {
    url: `${server.url}${url ?? PATH}`,
    headers: { authorization: `Bearer ${API_KEY}`, ...headers },
    body: { model, max_tokens: MAX_TOKENS, temperature: 0, ...body },
  };
}

function toRow({ name, agents }: Manner, figures: readonly AgentFigures[], factors: readonly number[]): string[] {
  const percent = (value: number): number => 100 * value;
  const ms = (at: number): string =>
    spread(
      figures.map(({ answerMs }) => quantile(answerMs, at)),
      0,
    );
  return [
    String(agents),
    name,
    thousands(figures.map(({ promptTokens }) => promptTokens)),
    spread(
      figures.map(({ promptTokens, cachedTokens }) => percent(cachedTokens / promptTokens)),
      1,
    ),
    thousands(figures.map(({ promptTokens, cachedTokens }) => promptTokens - cachedTokens)),
    `${spread(factors, 2)} ×`,
    ms(0.5),
    ms(0.95),
  ];
}

function thousands(values: readonly number[]): string {
  return `${spread(
    values.map((value) => value / 1000),
    0,
  )} k`;
}

function workerId(at: number): string {
  return `bench-worker-${at + 1}`;
}
