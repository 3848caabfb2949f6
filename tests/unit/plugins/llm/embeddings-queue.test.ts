import { expect, test } from "bun:test";
import { PromptAffinity } from "../../../../src/affinity/prompt-affinity.ts";
import { type ActiveCaller, ANONYMOUS } from "../../../../src/auth/caller.ts";
import { createMetrics } from "../../../../src/figures/metrics.ts";
import { ModelArea } from "../../../../src/models/model-area.ts";
import { CacheSalts } from "../../../../src/plugins/llm/cache-salt.ts";
import { relayEmbeddings } from "../../../../src/plugins/llm/embeddings.ts";
import { NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import { systemIds } from "../../../../src/system/ids.ts";
import { silentLog } from "../../../../src/system/log.ts";
import { defaultConfig } from "../../../support/default-config.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { ScriptedSource } from "../../../support/scripted-source.ts";

const encoder = new TextEncoder();

function setUp() {
  const clock = new FakeClock();
  const metrics = createMetrics("1");
  const deps = { clock, ids: systemIds, log: silentLog };
  const sessions = new ScriptedSource(clock);
  const config = defaultConfig({ queueSize: 0 });
  const area = new ModelArea({ pluginId: "llm", config, deps, metrics, sessions, version: "1" });
  const session = sessions.intakes[0]?.join("w", ["m"], 1);
  if (!session) throw new Error("the area asked for no intake");
  session.changeOffer({ embeddingBatchSize: 1 });
  const embed = (input: readonly string[]): Promise<Response> => {
    const body = encoder.encode(JSON.stringify({ model: "m", input }));
    const request = new Request("http://localhost/v1/embeddings", { method: "POST" });
    const caller: ActiveCaller = {
      ...ANONYMOUS,
      address: undefined,
      route: "/v1/embeddings",
      linger: () => {},
      leave: () => {},
    };
    const visit = { request, requestId: "r", address: () => undefined };
    const call = { visit, caller, path: "/embeddings", search: "", workerId: undefined };
    const parsed = { count: input.length, isPlural: true, encoding: "float" } as const;
    const memory = {
      salts: new CacheSalts(() => "secret"),
      prompts: new PromptAffinity(
        () => clock.elapsed(),
        () => "secret",
      ),
    };
    return relayEmbeddings({ area, config, deps, metrics, ...memory }, call, {
      body,
      model: "m",
      input: parsed,
      standing: { class: "normal", endUser: undefined },
    });
  };
  /** The worker answers the newest part. */
  const answer = (): void => {
    const part = session.exchanges.at(-1);
    const data = [{ object: "embedding", index: 0, embedding: [1] }];
    part?.head({ status: 200, headers: [["content-type", "application/json"]] });
    part?.data(encoder.encode(JSON.stringify({ object: "list", data, model: "m", usage: { prompt_tokens: 1 } })));
    part?.end();
  };
  /** Another job takes the only slot. */
  const takeSlot = () => {
    const demand = { model: "m", exact: false, excluded: NONE_EXCLUDED };
    return area.pool.claim(area.pool.issueTicket({ caller: ANONYMOUS, demand }, clock.elapsed()));
  };
  return { area, session, embed, answer, takeSlot };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

test("an embeddings request that is under way waits for its next part's slot, also where nothing else may wait", async () => {
  const { area, session, embed, answer, takeSlot } = setUp();
  const response = embed(["a", "b"]);
  answer();
  const other = takeSlot();
  await turns();
  expect([session.exchanges.length, area.pool.queueLength]).toEqual([1, 1]);
  other?.release();
  answer();
  const answered = await response;
  expect(answered.status).toBe(200);
  expect(await answered.json()).toMatchObject({ data: [{ index: 0 }, { index: 1 }] });
});

test("an embeddings request whose first part finds no slot is refused where nothing may wait", async () => {
  const { embed, takeSlot } = setUp();
  takeSlot();
  expect(await embed(["a", "b"]).catch((fault) => fault)).toMatchObject({ code: "queue_full" });
});
