import { describe, expect, test } from "bun:test";
import { MAX_CLOCKS_APART_MS, type SignOut, type SignOutRecords, SignOuts } from "../../../src/auth/sign-outs.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function create(clock = new FakeClock(), records?: SignOutRecords) {
  const signOuts = new SignOuts({ clock, records });
  const told: string[] = [];
  signOuts.onAdded(({ id }) => told.push(id));
  const signOut = (id: string, lastsMs = 1000): SignOut => ({ id, endsAt: clock.now() + lastsMs });
  return { clock, signOuts, signOut, told };
}

describe("sign-outs", () => {
  test("are told once if they happened here, and not if another server told them", () => {
    const { signOuts, signOut, told } = create();
    signOuts.add(signOut("here"));
    signOuts.add(signOut("here"));
    expect([signOuts.accept(signOut("there")), signOuts.accept(signOut("there"))]).toEqual([true, false]);
    expect(told).toEqual(["here"]);
    expect(signOuts.all().map(({ id }) => id)).toEqual(["here", "there"]);
    expect([signOuts.has(signOut("here")), signOuts.has(signOut("other"))]).toEqual([true, false]);
  });

  test("are forgotten once the sign-in would have ended by every server's clock", () => {
    const { clock, signOuts, signOut } = create();
    signOuts.add(signOut("short", 1000));
    signOuts.add(signOut("long", 5000));
    clock.advance(1000);
    signOuts.add(signOut("meanwhile"));
    expect(signOuts.all().map(({ id }) => id)).toEqual(["short", "long", "meanwhile"]);
    clock.advance(MAX_CLOCKS_APART_MS);
    expect(signOuts.accept({ id: "over", endsAt: clock.now() - MAX_CLOCKS_APART_MS })).toBe(false);
    signOuts.add(signOut("next"));
    expect(signOuts.all().map(({ id }) => id)).toEqual(["long", "meanwhile", "next"]);
  });

  test("beyond ten thousand end all sign-ins that are as old as the forgotten ones", () => {
    const { signOuts, signOut } = create();
    const all = Array.from({ length: 10_001 }, (_, at) => signOut(`s${at}`, 1000 + at));
    for (const each of all) signOuts.add(each);
    expect(signOuts.all().length).toBe(9000);
    expect(all.every((each) => signOuts.has(each))).toBe(true);
    expect([signOuts.has(signOut("as old", 1000)), signOuts.has(signOut("newer", 9000))]).toEqual([true, false]);
  });

  test("come back from their records after a restart, without those that are over", () => {
    const clock = new FakeClock();
    const kept = new Map<string, SignOut>();
    const records: SignOutRecords = {
      load: () => [...kept.values()],
      save: (signOut) => void kept.set(signOut.id, signOut),
      remove: (id) => void kept.delete(id),
    };
    const before = create(clock, records);
    before.signOuts.add(before.signOut("short", 1000));
    before.signOuts.add(before.signOut("long", 5000));
    clock.advance(MAX_CLOCKS_APART_MS + 2000);
    const { signOuts } = create(clock, records);
    expect(signOuts.all().map(({ id }) => id)).toEqual(["long"]);
    expect([...kept.keys()]).toEqual(["long"]);
  });

  test("are not removed from shared records, or refused, by a server whose clock is an hour ahead", () => {
    const [clock, ahead] = [new FakeClock(), new FakeClock()];
    ahead.advance(3_600_000);
    const kept = new Map<string, SignOut>();
    const records: SignOutRecords = {
      load: () => [...kept.values()],
      save: (signOut) => void kept.set(signOut.id, signOut),
      remove: (id) => void kept.delete(id),
    };
    const [usual, fast] = [create(clock, records), create(ahead, records)];
    const half = usual.signOut("half an hour left", 1_800_000);
    usual.signOuts.add(half);
    fast.signOuts.accept(half);
    const other = usual.signOut("ended at the fast server", 1_800_000);
    fast.signOuts.add(other);
    expect(fast.told).toEqual([other.id]);
    // A server that starts now learns of both.
    const late = create(clock, records);
    expect([late.signOuts.has(half), late.signOuts.has(other)]).toEqual([true, true]);
  });
});
