import { expect, test } from "bun:test";
import { limitedOffer } from "../../../src/tunnel/limited-offer.ts";
import type { Offer } from "../../../src/tunnel/session.ts";
import { SlotShares } from "../../../src/tunnel/slot-shares.ts";
import { mayRegister } from "../../../src/wire/worker-terms.ts";

const OFFER: Offer = {
  models: ["llama3:8b", "qwen3:8b"],
  loaded: ["qwen3:8b"],
  maxConcurrency: 8,
  embeddingBatchSize: undefined,
  status: "ready",
  reason: undefined,
};
const llamas = (model: string): boolean => model.startsWith("llama");

test("an offer of a key without terms is the same object", () => {
  expect(limitedOffer(OFFER, undefined)).toBe(OFFER);
});

test("models that the key does not allow are not offered, and are told apart", () => {
  expect(limitedOffer(OFFER, { models: ["llama*"], mayServe: llamas })).toMatchObject({
    models: ["llama3:8b"],
    loaded: [],
    refusedModels: ["qwen3:8b"],
  });
});

test("the doctor's model is served whatever the key allows, because only the doctor knows its name", () => {
  const model = `moorage-doctor-${"x".repeat(22)}`;
  const offer = limitedOffer({ ...OFFER, models: [model] }, { models: ["llama*"], mayServe: llamas });
  expect(offer.models).toEqual([model]);
  expect(offer.refusedModels).toBeUndefined();
});

test("slots are capped and not raised, and tenants go with the offer", () => {
  expect(limitedOffer(OFFER, { maxSlots: 2, tenants: ["research"] })).toMatchObject({
    maxConcurrency: 2,
    tenants: new Set(["research"]),
  });
  expect(limitedOffer(OFFER, { maxSlots: 20 }).maxConcurrency).toBe(8);
});

test("a worker that is not ready leaves the slots of its key to the others, and gets its own back when it is ready and they are free", () => {
  const terms = { ids: ["gpu"], maxSlots: 8 };
  const shares = new SlotShares();
  const [first, second] = [shares.join("key", "gpu", () => {}), shares.join("key", "gpu.2", () => {})];
  expect(limitedOffer(OFFER, terms, first).maxConcurrency).toBe(8);
  limitedOffer({ ...OFFER, status: "not_ready" }, terms, first);
  expect(limitedOffer(OFFER, terms, second)).toMatchObject({ maxConcurrency: 8, status: "ready" });
  expect(limitedOffer(OFFER, terms, first)).toMatchObject({ maxConcurrency: 0, status: "not_ready" });
  second.leave();
  expect(limitedOffer(OFFER, terms, first).maxConcurrency).toBe(8);
});

test("a bound key registers its id, the same with a dot behind it, and those that were named when it joined", () => {
  const terms = { ids: ["gpu", "files"] };
  expect(["gpu", "gpu.notes", "files"].map((id) => mayRegister(terms, id))).toEqual([true, true, true]);
  expect(["gpu2", "files.x", "other"].map((id) => mayRegister(terms, id))).toEqual([false, false, false]);
  expect(mayRegister({}, "any")).toBe(true);
});
