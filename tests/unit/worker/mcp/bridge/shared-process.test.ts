import { describe, expect, test } from "bun:test";
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import type { Peer, PeerEvents } from "../../../../../src/worker/mcp/bridge/peer.ts";
import { SharedPeer } from "../../../../../src/worker/mcp/bridge/shared-peer.ts";
import { SharedProcess } from "../../../../../src/worker/mcp/bridge/shared-process.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";

/** A program that records what it is sent and answers nothing by itself. A full one that is sent more ends. */
class Program {
  readonly sent: JSONRPCMessage[] = [];
  isFull = false;
  isEnded = false;
  #events: PeerEvents | undefined;

  readonly open = (events: PeerEvents): Peer => {
    this.#events = events;
    const isFull = (): boolean => this.isFull;
    return {
      send: (message) => {
        this.sent.push(message);
        return !this.isFull;
      },
      get isFull() {
        return isFull();
      },
      close: async () => {
        this.isEnded = true;
      },
    };
  };

  answer(id: string | number): void {
    this.#events?.onMessage({ jsonrpc: "2.0", id, result: {} });
  }

  /** Answers all requests of a method. */
  answerAll(method: string): void {
    for (const each of this.sent) if ("id" in each && "method" in each && each.method === method) this.answer(each.id);
  }

  count(method: string): number {
    return this.sent.filter((each) => "method" in each && each.method === method).length;
  }
}

function share(isSerial = false) {
  const program = new Program();
  const shared = new SharedProcess({ openPeer: program.open, isSerial, idleMs: 1000, clock: new FakeClock() });
  const join = () => {
    const heard: JSONRPCMessage[] = [];
    const client = shared.join({ onMessage: (message) => heard.push(message), onExit: () => {} });
    let count = 0;
    const ask = (method: string, params: Record<string, unknown> = {}): boolean => {
      count += 1;
      return client.send({ jsonrpc: "2.0", id: count, method, params });
    };
    return { client, heard, ask, refused: () => heard.filter((each) => "error" in each).length };
  };
  const first = join();
  first.ask("initialize");
  program.answer(0);
  return { program, first, join };
}

describe("a shared process that reads slowly", () => {
  test("is not ended by one client's notifications", () => {
    const { program, first } = share();
    program.isFull = true;
    const before = program.sent.length;
    expect(first.client.send({ jsonrpc: "2.0", method: "notifications/custom", params: {} })).toBe(true);
    expect([program.sent.length - before, program.isEnded]).toEqual([0, false]);
  });

  test("is not ended by a client that leaves with many subscriptions", async () => {
    const { program, first, join } = share();
    const second = join();
    second.ask("resources/subscribe", { uri: "file:///a" });
    program.answerAll("resources/subscribe");
    program.isFull = true;
    await second.client.close();
    expect(program.isEnded).toBe(false);
    expect(first.ask("tools/list")).toBe(true);
  });

  test("of the stateless era is not ended by notifications either", () => {
    const program = new Program();
    const peer = new SharedPeer({ openPeer: program.open, idleMs: 1000, clock: new FakeClock(), onResult: () => {} });
    peer.tell({ jsonrpc: "2.0", method: "notifications/custom" });
    program.isFull = true;
    peer.tell({ jsonrpc: "2.0", method: "notifications/custom" });
    expect([program.sent.length, program.isEnded]).toEqual([1, false]);
  });
});

describe("a client of a shared process", () => {
  test.each([
    ["1,000 of them", 1100, 10, 1001],
    ["32 MiB of them", 50, 1024 * 1024, 33],
  ])("cannot let more calls wait for their turn than %s", async (_what, calls, chars, taken) => {
    const { program, first } = share(true);
    for (let at = 0; at < calls; at += 1) first.ask("tools/call", { name: "x", text: "x".repeat(chars) });
    await Promise.resolve();
    expect([program.count("tools/call"), first.refused()]).toEqual([1, calls - taken]);
    for (let id = 1; id <= taken; id += 1) program.answer(id);
    expect(program.count("tools/call")).toBe(taken);
    first.ask("tools/call", { name: "x" });
    expect(program.count("tools/call")).toBe(taken + 1);
  });
});
