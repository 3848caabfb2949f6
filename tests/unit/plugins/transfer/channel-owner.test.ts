import { describe, expect, test } from "bun:test";
import { ANONYMOUS } from "../../../../src/auth/caller.ts";
import { Fault } from "../../../../src/errors.ts";
import { ChannelOwner, type Sending } from "../../../../src/plugins/transfer/channel-owner.ts";
import { Channels } from "../../../../src/plugins/transfer/channels.ts";
import type { End, LocalEnd } from "../../../../src/plugins/transfer/ends.ts";
import { FarEnds } from "../../../../src/plugins/transfer/far-ends.ts";
import { answerQuestions, type Passed, Questions } from "../../../../src/plugins/transfer/questions.ts";
import { systemIds } from "../../../../src/system/ids.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { NOBODY } from "../../../support/nobody.ts";
import { PortsNetwork, type ScriptedPorts } from "../../../support/scripted-ports.ts";

const TTL_MS = 60_000;
const FACTS = { requestId: "r1", caller: "api-key:1", address: undefined };

/** The owner of a channel at `a`, and two other servers whose answers a test gives. */
function setUp() {
  const clock = new FakeClock();
  const network = new PortsNetwork();
  const a = network.join("a");
  const questions = new Questions(a.calls);
  const sent: Sending[] = [];
  const introductions: Promise<void>[] = [];
  const channels = new Channels<End, End>({
    clock,
    ids: systemIds,
    idPrefix: "aaaa",
    ttlMs: TTL_MS,
    maxChannels: 10,
    onJoined: (joined, id) => introductions.push(owner.introduce(id, joined)),
    onChange: () => {},
    onExpired: () => {},
  });
  const farEnds = new FarEnds({ clock, ids: systemIds, members: a.members, questions });
  const reach = { can: true };
  const owner: ChannelOwner = new ChannelOwner({
    cluster: a,
    channels,
    farEnds,
    questions,
    send: (sending) => {
      if (reach.can) sent.push(sending);
      return reach.can;
    },
  });
  const { id } = channels.create();
  return {
    clock,
    network,
    channels,
    farEnds,
    owner,
    id,
    sent,
    reach,
    b: script(network.join("b")),
    c: script(network.join("c")),
    settled: async () => void (await Promise.all(introductions)),
  };
}

/** A server that answers as a test says, and keeps what it was told. */
function script(ports: ScriptedPorts) {
  const told: string[] = [];
  const answer = { isThere: true, passed: "passing" as Passed };
  answerQuestions(ports.calls, {
    join: () => 0,
    look: () => {},
    leave: () => {},
    meet: (ticket) => {
      told.push(`meet ${ticket}`);
      return answer.isThere;
    },
    pass: ({ writer, reader }) => {
      told.push(`pass ${writer} to ${reader.server}`);
      return answer.passed;
    },
    wait: (ticket, ms) => void told.push(`wait ${ticket} ${ms}`),
    refuse: (ticket, fault) => void told.push(`refuse ${ticket} ${fault.code}`),
  });
  return { ports, told, answer };
}

function localEnd() {
  const refusals: string[] = [];
  const state = { hasLeft: false };
  const end: LocalEnd = {
    kind: "local",
    visit: { request: new Request("http://a.test/"), requestId: "local", address: () => undefined },
    caller: { ...ANONYMOUS, ...NOBODY, linger: () => {}, leave: () => {} },
    get hasLeft() {
      return state.hasLeft;
    },
    answer: () => {},
    refuse: (reason) => void refusals.push(reason instanceof Fault ? reason.code : reason.name),
  };
  return { end, refusals, state };
}

const reader = (ticket: string, id: string) => ({ id, role: "reader" as const, ticket, facts: FACTS });
const writer = (ticket: string, id: string) => ({ id, role: "writer" as const, ticket, facts: FACTS });
const stateOf = (channels: Channels<End, End>, id: string): string => {
  try {
    channels.look(id);
    return "takes a reader";
  } catch (error) {
    return error instanceof Fault ? error.code : "broken";
  }
};

describe("the owner of a channel", () => {
  test("asks the reader's server whether the reader is there, and lets the writer's server send to it", async () => {
    const { owner, channels, id, b, c, settled } = setUp();
    expect(owner.join("b", reader("r", id))).toBe(TTL_MS);
    owner.join("c", writer("w", id));
    await settled();
    expect([b.told, c.told]).toEqual([["meet r"], ["pass w to b"]]);
    expect([channels.size, channels.waiting]).toEqual([0, 0]);
  });

  test("lets a server that has both sides see for itself", async () => {
    const { owner, id, b, settled } = setUp();
    owner.join("b", reader("r", id));
    owner.join("b", writer("w", id));
    await settled();
    expect(b.told).toEqual(["pass w to b"]);
  });

  test("sends itself if the writer is here", async () => {
    const { owner, channels, id, b, sent, settled } = setUp();
    const { end } = localEnd();
    channels.write(id, end);
    owner.join("b", reader("r", id));
    await settled();
    expect(b.told).toEqual(["meet r"]);
    expect(sent).toMatchObject([{ writer: end, reader: { server: "b", ticket: "r", facts: FACTS } }]);
  });

  test("lets a reader who is here wait for the bytes, and not for ever", async () => {
    const { clock, owner, channels, farEnds, id, c, settled } = setUp();
    const { end, refusals } = localEnd();
    channels.read(id, end);
    owner.join("c", writer("w", id));
    await settled();
    expect(c.told).toEqual(["pass w to a"]);
    expect(farEnds.size).toBe(1);
    clock.advance(10_000);
    expect(refusals).toEqual(["transfer_broken"]);
  });

  test("gives the place of a reader that has left to the next one, and the writer goes on waiting", async () => {
    const { owner, channels, id, b, c, settled } = setUp();
    b.answer.isThere = false;
    owner.join("c", writer("w", id));
    owner.join("b", reader("r", id));
    await settled();
    expect(c.told).toEqual([]);
    expect([channels.waiting, stateOf(channels, id)]).toEqual([1, "takes a reader"]);
    b.answer.isThere = true;
    owner.join("b", reader("r2", id));
    await settled();
    expect(c.told).toEqual(["pass w to b"]);
  });

  test("gives the place of a writer that has left to the next one, and tells the reader for how long it waits on", async () => {
    const { clock, owner, channels, id, b, c, settled } = setUp();
    c.answer.passed = "writer_gone";
    owner.join("b", reader("r", id));
    clock.advance(1000);
    owner.join("c", writer("w", id));
    await settled();
    expect(b.told).toEqual(["meet r", `wait r ${TTL_MS - 1000}`]);
    expect(stateOf(channels, id)).toBe("transfer_in_use");
    clock.advance(TTL_MS - 1000);
    expect(b.told.at(-1)).toBe("refuse r transfer_expired");
  });

  test("keeps a reader who is here when the writer turns out to have left", async () => {
    const { owner, channels, farEnds, id, c, settled } = setUp();
    const { end, refusals } = localEnd();
    c.answer.passed = "writer_gone";
    channels.read(id, end);
    owner.join("c", writer("w", id));
    await settled();
    expect([refusals, farEnds.size, channels.waiting]).toEqual([[], 0, 1]);
    c.answer.passed = "passing";
    owner.join("c", writer("w2", id));
    await settled();
    expect(farEnds.size).toBe(1);
  });

  test("fails both sides if their servers cannot reach each other", async () => {
    const { owner, channels, id, b, c, settled } = setUp();
    c.answer.passed = "failed";
    owner.join("b", reader("r", id));
    owner.join("c", writer("w", id));
    await settled();
    expect([b.told.at(-1), c.told.at(-1)]).toEqual(["refuse r transfer_broken", "refuse w transfer_broken"]);
    expect(channels.size).toBe(0);
    const second = setUp();
    second.reach.can = false;
    const { end, refusals } = localEnd();
    second.channels.write(second.id, end);
    second.owner.join("b", reader("r", second.id));
    await second.settled();
    expect(refusals).toEqual(["transfer_broken"]);
  });

  test("fails both if the writer's server does not answer, since it may have begun to send", async () => {
    const { owner, id, b, c, settled } = setUp();
    c.ports.isSilent = true;
    owner.join("b", reader("r", id));
    owner.join("c", writer("w", id));
    await settled();
    expect(b.told.at(-1)).toBe("refuse r transfer_broken");
  });

  test("frees the place of a side that says that it leaves, or whose server is gone", async () => {
    const { network, owner, channels, id } = setUp();
    owner.join("b", reader("r", id));
    owner.leave("b", id, "another");
    owner.leave("c", id, "r");
    expect(stateOf(channels, id)).toBe("transfer_in_use");
    owner.leave("b", id, "r");
    expect(stateOf(channels, id)).toBe("takes a reader");
    owner.join("b", reader("r", id));
    network.leave("b");
    expect(stateOf(channels, id)).toBe("takes a reader");
  });
});

test.each([
  ["transfer_join", null],
  ["transfer_join", { id: "x", role: "owner", ticket: "t", facts: { request: "r", caller: "c" } }],
  ["transfer_join", { id: "x", role: "reader", ticket: 1, facts: { request: "r", caller: "c" } }],
  ["transfer_join", { id: "x", role: "reader", ticket: "t" }],
  ["transfer_look", { id: "x".repeat(1000) }],
  ["transfer_pass", { writer: "w" }],
  ["transfer_pass", { writer: "w", reader: { server: "b" } }],
  ["transfer_meet", {}],
])("a question that cannot be read fails: %s %j", async (kind, body) => {
  const { b } = setUp();
  expect((await setUp().b.ports.calls.ask("b", kind, body, 1)).kind).toBe("failed");
  expect(b.told).toEqual([]);
});
