import { createRandom, draw, type Range } from "../../tests/sim/support/random.ts";

/** Agents that talk to a model at the same time. Each has several conversations, one after the other. */
export interface AgentLoad {
  readonly agents: number;
  readonly conversations: number;
  /** Turns of a conversation. Each sends all that was said before, as clients of chat models do. */
  readonly turns: number;
  readonly seed: number;
  /** Distinguishes the words of this run from those of others, whose prompts are still in caches. */
  readonly name: string;
}

/** Tells how an agent sends its requests. */
export interface AgentTarget {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Members of the body besides the model and the messages. */
  readonly body: Readonly<Record<string, unknown>>;
}

/** What the agents measured. Tokens are those that the model servers state. */
export interface AgentFigures {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Milliseconds from each request to its whole answer. */
  readonly answerMs: readonly number[];
}

interface Message {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

interface ChatAnswer {
  readonly choices: readonly { readonly message: { readonly content: string } }[];
  readonly usage: {
    readonly prompt_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
  };
}

/** The tools that all agents have: about 2,500 tokens for a model that reads single characters. */
const TOOLS = Array.from({ length: 80 }, (_, at) => `tool ${at} (a, b): does thing ${at * 7}.`).join("\n");
const MESSAGE_WORDS: Range = [40, 120];
const PAUSE_MS: Range = [30, 150];

/** Lets all agents talk to the end. `targetOf` gives the target of an agent and one of its conversations. */
export async function talk(
  load: AgentLoad,
  targetOf: (agent: number, conversation: number) => AgentTarget,
): Promise<AgentFigures> {
  const answerMs: number[] = [];
  let [promptTokens, cachedTokens] = [0, 0];
  const ask = async (target: AgentTarget, messages: readonly Message[]): Promise<Message> => {
    const startedAt = performance.now();
    const response = await fetch(target.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...target.headers },
      body: JSON.stringify({ ...target.body, messages }),
    });
    if (response.status !== 200) throw new Error(`status ${response.status}: ${await response.text()}`);
    const { choices, usage } = (await response.json()) as ChatAnswer; // Our own backends and llama.cpp answer so.
    answerMs.push(performance.now() - startedAt);
    promptTokens += usage.prompt_tokens;
    cachedTokens += usage.prompt_tokens_details.cached_tokens;
    return { role: "assistant", content: choices[0]?.message.content || "ok" };
  };
  const agent = async (at: number): Promise<void> => {
    const random = createRandom(load.seed * 1000 + at);
    for (let nth = 0; nth < load.conversations; nth += 1) {
      const target = targetOf(at, nth);
      const messages: Message[] = [{ role: "system", content: TOOLS }];
      for (let turn = 0; turn < load.turns; turn += 1) {
        const words = "word ".repeat(draw(random, MESSAGE_WORDS));
        messages.push({ role: "user", content: `${load.name} ${load.seed} ${at} ${nth} ${turn} ${words}` });
        messages.push(await ask(target, messages));
        await Bun.sleep(draw(random, PAUSE_MS));
      }
    }
  };
  await Promise.all(Array.from({ length: load.agents }, (_, at) => agent(at)));
  return { promptTokens, cachedTokens, answerMs };
}
