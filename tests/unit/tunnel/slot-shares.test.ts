import { expect, test } from "bun:test";
import fc from "fast-check";
import { limitedOffer } from "../../../src/tunnel/limited-offer.ts";
import { type Offer, UNBOUNDED } from "../../../src/tunnel/session.ts";
import { type SlotShare, SlotShares } from "../../../src/tunnel/slot-shares.ts";

const OFFER: Offer = {
  models: ["m"],
  maxConcurrency: 4,
  embeddingBatchSize: undefined,
  status: "ready",
  reason: undefined,
};
const TERMS = { ids: ["gpu"], maxSlots: 5 };

/** A session that takes what it wants again whenever there may be more. */
class Sharer {
  readonly share: SlotShare;
  offer: Offer = OFFER;
  constructor(shares: SlotShares, workerId: string, owner = "made:a") {
    this.share = shares.join(owner, workerId, () => this.offers(this.offer));
  }
  offers(offer: Offer, terms: object = TERMS): Offer {
    this.offer = offer;
    this.limited = limitedOffer(offer, terms, this.share);
    return this.limited;
  }
  limited: Offer = OFFER;
}

test("all sessions of a key that is bound to one worker have its slots together, the earlier ones first", async () => {
  const shares = new SlotShares();
  const [first, second, third] = ["gpu", "gpu.2", "gpu.3"].map((id) => new Sharer(shares, id));
  expect(first?.offers(OFFER).maxConcurrency).toBe(4);
  expect(second?.offers(OFFER).maxConcurrency).toBe(1);
  expect(third?.offers(OFFER)).toMatchObject({
    maxConcurrency: 0,
    status: "not_ready",
    reason: expect.stringContaining("other workers with this key"),
  });
  first?.share.leave();
  await Promise.resolve();
  expect([second, third].map((each) => each?.limited.maxConcurrency)).toEqual([4, 1]);
  expect(third?.limited.status).toBe("ready");
  expect(new Sharer(shares, "gpu", "made:b").offers(OFFER).maxConcurrency).toBe(4);
});

test("a worker that has come back counts once, however long its earlier session lasts", () => {
  const shares = new SlotShares();
  const [before, after] = [new Sharer(shares, "gpu"), new Sharer(shares, "gpu")];
  expect(after.offers(OFFER).maxConcurrency).toBe(4);
  expect(before.offers(OFFER).maxConcurrency).toBe(4);
  expect(new Sharer(shares, "gpu.2").offers(OFFER).maxConcurrency).toBe(1);
  before.share.leave();
  expect(new Sharer(shares, "gpu.3").offers(OFFER).maxConcurrency).toBe(0);
});

test("keys of no single worker, relays, the doctor, and workers that leave keep their slots and take none", () => {
  const shares = new SlotShares();
  const others: readonly (readonly [Offer, object])[] = [
    [OFFER, { maxSlots: 5 }],
    [{ ...OFFER, maxConcurrency: UNBOUNDED }, TERMS],
    [{ ...OFFER, models: [`moorage-doctor-${"x".repeat(22)}`] }, TERMS],
    [{ ...OFFER, status: "draining" }, TERMS],
  ];
  const slots = others.map(([offer, terms], at) => new Sharer(shares, `gpu.${at}`).offers(offer, terms).maxConcurrency);
  expect(slots).toEqual([4, 5, 4, 4]);
  expect(new Sharer(shares, "gpu").offers(OFFER).maxConcurrency).toBe(4);
});

test("however workers of a key come, change and go, they have no more slots together than it allows, and waste none", async () => {
  const action = fc.record({ worker: fc.nat(3), slots: fc.integer({ min: 0, max: 6 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 30 }), async (actions) => {
      const shares = new SlotShares();
      const newest = new Map<number, Sharer>();
      for (const { worker, slots } of actions) {
        const sharer = newest.get(worker);
        if (slots === 0) {
          sharer?.share.leave();
          newest.delete(worker);
        } else {
          const present = sharer ?? new Sharer(shares, `gpu.${worker}`);
          newest.set(worker, present);
          present.offers({ ...OFFER, maxConcurrency: slots });
        }
        await Promise.resolve();
        await Promise.resolve();
        const all = [...newest.values()];
        const granted = all.reduce((sum, { limited }) => sum + limited.maxConcurrency, 0);
        const wanted = all.reduce((sum, { offer }) => sum + offer.maxConcurrency, 0);
        expect(granted).toBe(Math.min(wanted, TERMS.maxSlots));
      }
    }),
  );
});
