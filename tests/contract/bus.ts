import { afterEach, describe, expect, test } from "bun:test";
import { type Bus, type BusMessage, MAX_MESSAGE_BYTES } from "../../src/cluster/bus.ts";

/** A bus under test, which the test can cut off. */
export interface TestedBus {
  readonly bus: Bus;
  /** Breaks the connection and keeps it from coming back; resolves when the bus is down. */
  cut(): Promise<void>;
  /** Lets the connection come back; resolves when the bus is up. */
  mend(): Promise<void>;
}

/** A network for one test. */
export interface BusRig {
  /** Adds a bus, which is up. */
  join(name: string): Promise<TestedBus>;
  /** Lets time pass until the condition holds. Rejects if that takes seconds. */
  until(condition: () => boolean): Promise<void>;
  /** Lets time pass until every message that was sent has arrived. */
  settle(): Promise<void>;
  /** Lets time pass until the promise has settled. */
  finish<T>(promise: Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = ({ bytes }: Pick<BusMessage, "bytes">): string => new TextDecoder().decode(bytes);

/** The duties of a `Bus`, for each of its implementations. */
export function describeBus(name: string, start: () => Promise<BusRig>): void {
  describe(name, () => {
    const rigs: BusRig[] = [];
    afterEach(async () => {
      for (const rig of rigs.splice(0)) await rig.stop();
    });
    const open = async (): Promise<BusRig> => {
      const rig = await start();
      rigs.push(rig);
      return rig;
    };
    const hear = (bus: Bus, subject: string): string[] => {
      const heard: string[] = [];
      bus.subscribe(subject, (message) => heard.push(`${message.subject} ${text(message)}`));
      return heard;
    };

    test("a message reaches every other subscriber of its subject, in the order of sending", async () => {
      const rig = await open();
      const [a, b, c] = [await rig.join("a"), await rig.join("b"), await rig.join("c")];
      const heard = [a, b, c].map(({ bus }) => hear(bus, "s.one"));
      const others = hear(b.bus, "s.two");
      await rig.settle();
      for (let n = 0; n < 20; n += 1) expect(a.bus.publish("s.one", bytes(String(n)))).toBe("sent");
      await rig.until(() => (heard[1]?.length ?? 0) === 20 && (heard[2]?.length ?? 0) === 20);
      const all = Array.from({ length: 20 }, (_, n) => `s.one ${n}`);
      expect(heard).toEqual([[], all, all]);
      expect(others).toEqual([]);
    });

    test("two subscriptions to one subject both get its messages, until each has ended", async () => {
      const rig = await open();
      const [a, b] = [await rig.join("a"), await rig.join("b")];
      const heard: string[] = [];
      const listener = (message: BusMessage): void => void heard.push(text(message));
      const ends = [b.bus.subscribe("s", listener), b.bus.subscribe("s", listener)];
      await rig.settle();
      a.bus.publish("s", bytes("1"));
      await rig.until(() => heard.length === 2);
      ends[0]?.();
      ends[0]?.();
      a.bus.publish("s", bytes("2"));
      await rig.until(() => heard.length === 3);
      ends[1]?.();
      await rig.settle();
      expect(await rig.finish(a.bus.request("s", bytes("3"), 2000))).toEqual({ kind: "nobody" });
      b.bus.subscribe("s", listener);
      await rig.settle();
      a.bus.publish("s", bytes("4"));
      await rig.until(() => heard.length > 3);
      expect(heard).toEqual(["1", "1", "2", "4"]);
    });

    test("a question gets the answer of the server that has its subject", async () => {
      const rig = await open();
      const [a, b] = [await rig.join("a"), await rig.join("b")];
      b.bus.subscribe("ask.b", (message) => message.respond(bytes(`${text(message)}!`)));
      await rig.settle();
      const replies = await rig.finish(
        Promise.all(["x", "y"].map((question) => a.bus.request("ask.b", bytes(question), 2000))),
      );
      expect(replies.map((reply) => (reply.kind === "reply" ? text(reply) : reply.kind))).toEqual(["x!", "y!"]);
    });

    test("a question that nobody can hear ends at once, and one without an answer at its deadline", async () => {
      const rig = await open();
      const [a, b] = [await rig.join("a"), await rig.join("b")];
      b.bus.subscribe("ask.b", () => {});
      // The bus that asks does not hear itself.
      a.bus.subscribe("ask.a", (message) => message.respond(bytes("me")));
      await rig.settle();
      expect(await rig.finish(a.bus.request("ask.c", bytes(""), 60_000))).toEqual({ kind: "nobody" });
      expect(await rig.finish(a.bus.request("ask.b", bytes(""), 50))).toEqual({ kind: "late" });
    });

    test("a message that nobody waits for an answer to may be answered all the same", async () => {
      const rig = await open();
      const [a, b] = [await rig.join("a"), await rig.join("b")];
      const said: string[] = [];
      b.bus.subscribe("s", (message) => said.push(message.respond(bytes("ok"))));
      await rig.settle();
      a.bus.publish("s", bytes(""));
      await rig.until(() => said.length === 1);
      expect(said).toEqual(["sent"]);
    });

    test("a message of the largest size arrives, and a larger one is not sent", async () => {
      const rig = await open();
      const [a, b] = [await rig.join("a"), await rig.join("b")];
      const lengths: number[] = [];
      b.bus.subscribe("s", (message) => {
        lengths.push(message.bytes.byteLength);
        lengths.push(message.respond(new Uint8Array(MAX_MESSAGE_BYTES + 1)) === "too_large" ? -1 : 1);
      });
      await rig.settle();
      expect(a.bus.publish("s", new Uint8Array(MAX_MESSAGE_BYTES))).toBe("sent");
      expect(a.bus.publish("s", new Uint8Array(MAX_MESSAGE_BYTES + 1))).toBe("too_large");
      expect(await a.bus.request("s", new Uint8Array(MAX_MESSAGE_BYTES + 1), 1000)).toEqual({ kind: "too_large" });
      await rig.until(() => lengths.length > 0);
      await rig.settle();
      expect(lengths[0]).toBe(MAX_MESSAGE_BYTES);
    });

    test("a bus that is down sends nothing, says so, and has its subscriptions when it is back", async () => {
      const rig = await open();
      const [a, b] = [await rig.join("a"), await rig.join("b")];
      const states: string[] = [];
      a.bus.onState(({ kind }) => states.push(kind));
      const heard = [hear(a.bus, "s"), hear(b.bus, "s")];
      b.bus.subscribe("ask", () => {});
      await rig.settle();
      const running = a.bus.request("ask", bytes(""), 60_000);
      await a.cut();
      expect(a.bus.state.kind === "down" && a.bus.state.reason).toBeString();
      expect(await rig.finish(running)).toEqual({ kind: "down" });
      expect(a.bus.publish("s", bytes("lost"))).toBe("down");
      expect(await a.bus.request("s", bytes(""), 1000)).toEqual({ kind: "down" });
      const late = hear(a.bus, "s.late");
      await a.mend();
      await rig.settle();
      a.bus.publish("s", bytes("from a"));
      b.bus.publish("s", bytes("from b"));
      b.bus.publish("s.late", bytes("from b"));
      await rig.until(() => heard.every((each) => each.length === 1) && late.length === 1);
      expect(heard).toEqual([["s from b"], ["s from a"]]);
      expect(states).toEqual(["down", "up"]);
    });

    test("a listener to the state is told nothing once it has left", async () => {
      const rig = await open();
      const { bus, cut } = await rig.join("a");
      const states: string[] = [];
      bus.onState(({ kind }) => states.push(kind))();
      await cut();
      expect(states).toEqual([]);
    });
  });
}
