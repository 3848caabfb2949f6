import { afterEach, expect, test } from "bun:test";
import { ownerName } from "../../src/auth/owner-name.ts";
import { createLog } from "../../src/system/log.ts";
import { eventually } from "../support/eventually.ts";
import { API_KEY, CLIENT_KEY, TestServer } from "../support/test-server.ts";
import { startBackend, startTestWorker } from "../support/test-worker.ts";

const running: { stop(): unknown }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function keep<T extends { stop(): unknown }>(each: T): T {
  running.push(each);
  return each;
}

const PROMPT = "the-prompt-is-mine";
const ANSWER = "the-answer-is-mine";
const CONVERSATION = "conversation-is-mine";
const BACKEND_KEY = "backend-key-is-mine";
const WRONG = "wrong-key-is-somebodys";
const RELAY_TOKEN = "relay-token-is-mine";
const ADMIN_KEY = "test-admin-key";
const END_USER = "end-user-is-private";
const KEYS = [API_KEY, CLIENT_KEY, ADMIN_KEY];
/** With one of these a short key could be guessed offline. */
const OWNERS = KEYS.map((key) => ownerName(key, "moorage").replace("key:", ""));

test.each(["json", "pretty"] as const)(
  "keys, prompts, answers, end users and channel ids appear in no %s log line, metric, state or error",
  async (format) => {
    const lines: string[] = [];
    const log = createLog({ level: "debug", format, now: Date.now, write: (line) => void lines.push(line) });
    const server = keep(
      new TestServer(
        // The API key is an operator's as well, for the state that the helpers of the test ask for.
        { plugins: ["llm", "asr", "mcp", "transfer"], mcpRejoinTimeoutMs: 0, adminKeys: [ADMIN_KEY, API_KEY] },
        { log },
      ),
    );
    const backend = keep(
      startBackend(async (request) => {
        const text = await request.text();
        return text.includes("break")
          ? Response.json({ error: { message: `cannot do ${PROMPT}` } }, { status: 500 })
          : Response.json({ choices: [{ message: { content: ANSWER } }] });
      }),
    );
    // Prompts are remembered only where there are several workers to choose from.
    for (const name of ["one", "two"]) {
      const worker = keep(
        startTestWorker(
          {
            server: server.url,
            backend: backend.url,
            backendKey: BACKEND_KEY,
            name,
            models: ["m"],
            clientKeys: [CLIENT_KEY],
            authToken: undefined,
            drainTimeoutMs: 0,
          },
          { log },
        ),
      );
      await worker.registered;
    }
    const told: string[] = [];
    const ask = async (answer: Promise<Response>): Promise<void> => {
      const response = await answer;
      const text = await response.text();
      if (!response.ok && response.status !== 500) told.push(text);
    };
    const message = (content: string): object => ({ messages: [{ role: "user", content }] });
    const named = { headers: { "x-openwebui-user-id": END_USER } };
    await ask(server.chat("m", message(PROMPT), named));
    await ask(server.chat("m", { ...message(PROMPT), user: END_USER }));
    await ask(server.chat("nobody's", {}, named));
    await ask(server.chat("m", {}, { headers: { ...named.headers, "x-moorage-priority": END_USER } }));
    const long = message(`${PROMPT} `.repeat(50));
    await ask(server.chat("m", long, { headers: { "x-session-id": CONVERSATION } }));
    await ask(server.chat("m", { ...long, prompt_cache_key: CONVERSATION }));
    await ask(server.post("/v1/responses", { model: "m", input: PROMPT, previous_response_id: CONVERSATION }));
    await ask(server.chat("m", message(`break ${PROMPT}`)));
    await ask(server.chat("nobody's", message(PROMPT)));
    await ask(server.chat("m", {}, { headers: { authorization: `Bearer ${WRONG}` } }));
    await ask(server.fetch("/v1/chat/completions", { method: "POST", body: `{"model": "${PROMPT}` }));
    const byAdmin = { authorization: `Bearer ${ADMIN_KEY}` };
    await ask(server.chat("m", {}, { headers: byAdmin }));
    await ask(server.fetch("/api/state/workers/nobody/drain", { method: "POST", headers: byAdmin }));
    await ask(server.fetch(`/api/mcp/id/tools?token=${RELAY_TOKEN}`, { method: "POST", body: PROMPT }));
    const made = await server.fetch("/api/transfer", { method: "POST" });
    const { channel_id } = (await made.json()) as { channel_id: string }; // As the API has it.
    const url = `/api/transfer/${channel_id}`;
    await Promise.all([ask(server.fetch(url)), ask(server.fetch(url, { method: "PUT", body: PROMPT }))]);
    await eventually(async () => (await server.state()).server["jobs_inflight_total"] === 0, "all is over");
    const seen = {
      log: lines.join("\n"),
      state: await (await server.fetch("/api/state")).text(),
      metrics: await (await server.fetch("/metrics")).text(),
      errors: told.join("\n"),
    };
    expect(seen.log.length).toBeGreaterThan(500);
    expect(told.length).toBeGreaterThan(2);
    expect(seen.metrics.includes('moorage_prefix_table_entries{plugin="llm"} 2')).toBe(true);
    const contents = [PROMPT, ANSWER, CONVERSATION, END_USER, channel_id];
    for (const [where, text] of Object.entries(seen))
      for (const secret of [...KEYS, ...OWNERS, BACKEND_KEY, WRONG, RELAY_TOKEN, ...contents])
        expect(`${where} ${text.includes(secret) ? secret : "clean"}`).toBe(`${where} clean`);
  },
);
