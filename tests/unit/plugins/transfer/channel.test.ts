import { expect, test } from "bun:test";
import fc from "fast-check";
import { Fault } from "../../../../src/errors.ts";
import { type Channel, OPEN, without, withReader, withWriter } from "../../../../src/plugins/transfer/channel.ts";
import { Channels, type Side } from "../../../../src/plugins/transfer/channels.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { times } from "../../../support/times.ts";

const USED: Channel<string, string> = { kind: "used" };
const EXPIRED: Channel<string, string> = { kind: "expired" };

test("either side may come first, and the second one joins them", () => {
  const readerFirst = withReader<string, string>(OPEN, "r");
  const writerFirst = withWriter<string, string>(OPEN, "w");
  expect(readerFirst).toEqual({ kind: "reader_waits", reader: "r" });
  expect(writerFirst).toEqual({ kind: "writer_waits", writer: "w" });
  const joined: Channel<string, string> = { kind: "joined", reader: "r", writer: "w" };
  expect(withWriter({ kind: "reader_waits", reader: "r" }, "w")).toEqual(joined);
  expect(withReader({ kind: "writer_waits", writer: "w" }, "r")).toEqual(joined);
});

test("a second side of the same kind is refused, and any side of a channel that is over", () => {
  expect(withReader<string, string>({ kind: "reader_waits", reader: "r" }, "r2")).toBe("in_use");
  expect(withWriter<string, string>({ kind: "writer_waits", writer: "w" }, "w2")).toBe("in_use");
  for (const withSide of [withReader<string, string>, withWriter<string, string>]) {
    expect(withSide({ kind: "joined", reader: "r", writer: "w" }, "x")).toBe("in_use");
    expect(withSide(USED, "x")).toBe("in_use");
    expect(withSide(EXPIRED, "x")).toBe("expired");
  }
});

test("a side that leaves while it waits frees its place, and a joined side does not", () => {
  expect(without<string, string>({ kind: "reader_waits", reader: "r" }, "r")).toEqual({ kind: "open" });
  expect(without<string, string>({ kind: "writer_waits", writer: "w" }, "w")).toEqual({ kind: "open" });
  const joined: Channel<string, string> = { kind: "joined", reader: "r", writer: "w" };
  expect(without(joined, "r")).toBe(joined);
  const waiting: Channel<string, string> = { kind: "reader_waits", reader: "r" };
  expect(without(waiting, "another")).toBe(waiting);
});

class Party implements Side {
  refusals: string[] = [];
  refuse(reason: Error): void {
    this.refusals.push(reason instanceof Fault ? reason.code : reason.name);
  }
}

const TTL = 1000;
const MAX = 3;

function start() {
  const clock = new FakeClock();
  let ids = 0;
  const joined: string[] = [];
  const expired = { count: 0 };
  const channels = new Channels<Party, Party>({
    clock,
    ids: {
      request: () => "",
      secret: () => {
        ids += 1;
        return `c${ids}`;
      },
    },
    idPrefix: "",
    ttlMs: TTL,
    maxChannels: MAX,
    onJoined: (_channel, id) => joined.push(id),
    onChange: () => {},
    onExpired: () => {
      expired.count += 1;
    },
  });
  return { clock, channels, joined, expired };
}

function codeOf(act: () => unknown): string {
  try {
    act();
    return "ok";
  } catch (error) {
    return error instanceof Fault ? error.code : String(error);
  }
}

test("a channel's time runs from its creation until it is joined, also if a side came and left", () => {
  const { clock, channels, joined, expired } = start();
  const { id, expiresAt } = channels.create();
  expect(expiresAt).toBe(clock.now() + TTL);
  const reader = new Party();
  channels.read(id, reader);
  clock.advance(600);
  channels.leave(id, reader);
  const other = new Party();
  channels.read(id, other);
  clock.advance(399);
  expect(other.refusals).toEqual([]);
  clock.advance(1);
  expect(other.refusals).toEqual(["transfer_expired"]);
  expect(expired.count).toBe(1);
  expect(codeOf(() => channels.write(id, new Party()))).toBe("transfer_expired");
  const second = channels.create().id;
  channels.write(second, new Party());
  channels.read(second, new Party());
  clock.advance(TTL * 2);
  expect(joined).toEqual([second]);
  expect(codeOf(() => channels.read(second, new Party()))).toBe("transfer_in_use");
});

test("a finished channel is remembered for ten minutes, then unknown, and leaves no timer", () => {
  const { clock, channels } = start();
  const { id } = channels.create();
  clock.advance(TTL);
  clock.advance(10 * 60_000 - 1);
  expect(codeOf(() => channels.read(id, new Party()))).toBe("transfer_expired");
  clock.advance(1);
  expect(codeOf(() => channels.read(id, new Party()))).toBe("transfer_not_found");
  expect(clock.pending).toBe(0);
});

test("the number of open channels is limited, and each one that ends makes room", () => {
  const { clock, channels } = start();
  const ids = Array.from({ length: MAX }, () => channels.create().id);
  expect(codeOf(() => channels.create())).toBe("too_many_channels");
  const [first = ""] = ids;
  channels.read(first, new Party());
  channels.write(first, new Party());
  channels.finish(first);
  expect(codeOf(() => channels.create())).toBe("ok");
  clock.advance(TTL);
  expect(channels.size).toBe(0);
});

test("a look at a channel changes nothing", () => {
  const { channels } = start();
  const { id } = channels.create();
  channels.look(id);
  channels.read(id, new Party());
  expect(codeOf(() => channels.look(id))).toBe("transfer_in_use");
  expect(codeOf(() => channels.look("nobody"))).toBe("transfer_not_found");
});

test("in any order of events each side is joined once, refused once, or has left", () => {
  type Step =
    | { readonly do: "create" }
    | { readonly do: "wait" }
    | { readonly do: "read" | "write" | "leave" | "finish"; readonly channel: number };
  const at = { channel: fc.nat({ max: MAX }) };
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant("create" as const) }),
    fc.record({ do: fc.constant("wait" as const) }),
    fc.record({ do: fc.constantFrom("read" as const, "write" as const, "leave" as const, "finish" as const), ...at }),
  );
  /** The model: what the test knows of a channel. */
  interface Known {
    readonly id: string;
    age: number;
    reader: Party | undefined;
    writer: Party | undefined;
    state: "waiting" | "joined" | "used" | "expired";
  }
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, channels, joined } = start();
      const known: Known[] = [];
      const joins: string[] = [];
      for (const each of steps) {
        if (each.do === "create") {
          const open = known.filter(({ state }) => state === "waiting" || state === "joined").length;
          let id = "";
          expect(codeOf(() => (id = channels.create().id))).toBe(open < MAX ? "ok" : "too_many_channels");
          if (id !== "") known.push({ id, age: 0, reader: undefined, writer: undefined, state: "waiting" });
          continue;
        }
        if (each.do === "wait") {
          clock.advance(400);
          for (const channel of known) {
            channel.age += 400;
            if (channel.state === "waiting" && channel.age >= TTL) channel.state = "expired";
          }
          continue;
        }
        const channel = known[each.channel];
        if (!channel) continue;
        const party = new Party();
        const refusal = channel.state === "expired" ? "transfer_expired" : "transfer_in_use";
        if (each.do === "read" || each.do === "write") {
          const place = each.do === "read" ? "reader" : "writer";
          const isFree = channel.state === "waiting" && channel[place] === undefined;
          const attach = (): void =>
            each.do === "read" ? channels.read(channel.id, party) : channels.write(channel.id, party);
          expect(codeOf(attach)).toBe(isFree ? "ok" : refusal);
          if (!isFree) continue;
          channel[place] = party;
          if (channel.reader && channel.writer) {
            channel.state = "joined";
            joins.push(channel.id);
          }
        } else if (each.do === "leave") {
          const side = channel.reader ?? channel.writer;
          if (side) channels.leave(channel.id, side);
          if (channel.state === "waiting") channel.reader = channel.writer = undefined;
        } else if (channel.state === "joined") {
          channels.finish(channel.id);
          channel.state = "used";
        }
      }
      expect(joined).toEqual(joins);
      for (const { state, reader, writer } of known) {
        for (const party of [reader, writer]) {
          expect(party?.refusals ?? []).toEqual(party && state === "expired" ? ["transfer_expired"] : []);
        }
      }
    }),
    { numRuns: times(300) },
  );
});
