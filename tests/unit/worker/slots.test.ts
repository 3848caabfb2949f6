import { describe, expect, test } from "bun:test";
import { sglangSlots, vllmSlots } from "../../../src/worker/batching-slots.ts";
import { chooseSlots } from "../../../src/worker/slots.ts";

const none = { slots: undefined, family: undefined } as const;
const slotsOf = (state: object, maxConcurrency?: number): number =>
  chooseSlots({ maxConcurrency }, { ...none, ...state }).slots;

describe("the slots of a worker", () => {
  test("are the operator's, then the backend's, then those that its family is known for", () => {
    expect(slotsOf({ slots: 6, family: "llamacpp" }, 3)).toBe(3);
    expect(slotsOf({ slots: 6, family: "llamacpp" })).toBe(6);
    expect(slotsOf({ family: "vllm" })).toBe(32);
    expect(slotsOf({ family: "sglang" })).toBe(32);
    expect(slotsOf({ family: "ollama" })).toBe(2);
    expect(slotsOf({ family: "lmstudio" })).toBe(2);
    expect(slotsOf({ family: "whispercpp" })).toBe(1);
    expect(slotsOf({ family: "toString" })).toBe(2);
    expect(slotsOf({})).toBe(2);
  });

  test("have a reason in words", () => {
    expect(chooseSlots({ maxConcurrency: 3 }, none).reason).toBe("--max-concurrency (MAX_CONCURRENCY) says so");
    expect(chooseSlots({ maxConcurrency: undefined }, { ...none, slots: 4 }).reason).toBe("the model server says so");
    expect(chooseSlots({ maxConcurrency: undefined }, { ...none, family: "ollama" }).reason).toContain(
      "OLLAMA_NUM_PARALLEL",
    );
  });
});

describe("the slots of vLLM", () => {
  const metrics = (labels: string): string =>
    `# HELP vllm:cache_config_info Information of the LLMEngine CacheConfig\n# TYPE vllm:cache_config_info gauge\nvllm:cache_config_info{${labels}} 1.0\nvllm:num_requests_running{engine="0"} 0.0\n`;
  const usual =
    'block_size="16",cache_dtype="auto",engine="0",gpu_memory_utilization="0.9",num_gpu_blocks="27000",swap_space="4"';

  test("are as many requests as its cache holds", () => {
    expect(vllmSlots(metrics(usual), 32_768)).toEqual({
      slots: 105,
      slotsFrom: "vLLM's cache holds 432000 tokens, and a request is counted as 4096",
    });
    expect(vllmSlots(metrics(usual), 2048)?.slots).toBe(200);
    expect(vllmSlots(metrics(usual), 512)?.slots).toBe(200);
    expect(vllmSlots(metrics('block_size="16",num_gpu_blocks="10"'), undefined)?.slots).toBe(1);
  });

  test("are unknown where it does not say", () => {
    for (const text of [
      "",
      "not metrics",
      metrics('block_size="16",num_gpu_blocks="None"'),
      metrics('num_gpu_blocks="5"'),
    ])
      expect(vllmSlots(text, 4096)).toBeUndefined();
  });
});

test("the slots of SGLang are what it says", () => {
  expect(sglangSlots({ max_running_requests: 48 })?.slots).toBe(48);
  expect(sglangSlots({ max_running_requests: 5000 })?.slots).toBe(200);
  for (const info of [
    undefined,
    {},
    { max_running_requests: null },
    { max_running_requests: 0 },
    { max_running_requests: 1.5 },
  ])
    expect(sglangSlots(info)).toBeUndefined();
});
