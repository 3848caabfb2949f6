import { expect, test } from "bun:test";
import { HeldSessions } from "../../../../src/plugins/mcp/held-sessions.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

const MINUTE = 60_000;

function start(): { clock: FakeClock; sessions: HeldSessions; open: (id: string) => void } {
  const clock = new FakeClock();
  const sessions = new HeldSessions(clock);
  const open = (id: string): void => {
    const use = sessions.use("POST", undefined);
    use.answered(200, id);
    use.ended();
  };
  return { clock, sessions, open };
}

function request(sessions: HeldSessions, method: string, id: string, status: number, minted?: string): void {
  const use = sessions.use(method, id);
  use.answered(status, minted);
  use.ended();
}

test("an MCP session is kept from the answer with its id to the successful DELETE", () => {
  const { sessions, open } = start();
  open("a");
  open("b");
  expect([sessions.count(), sessions.opened]).toEqual([2, 2]);
  request(sessions, "DELETE", "a", 405);
  expect(sessions.count()).toBe(2);
  request(sessions, "DELETE", "a", 200);
  expect([sessions.count(), sessions.opened]).toEqual([1, 2]);
});

test("an MCP session ends with a 404 for its id", () => {
  const { sessions, open } = start();
  open("a");
  request(sessions, "POST", "a", 404);
  expect(sessions.count()).toBe(0);
});

test("a session id repeated in answers is opened once", () => {
  const { sessions, open } = start();
  open("a");
  request(sessions, "POST", "a", 200, "a");
  expect([sessions.count(), sessions.opened]).toEqual([1, 1]);
});

test("an unknown session id counts once it is answered with success, and was opened by nobody", () => {
  const { sessions } = start();
  for (const status of [400, 401, 405, 500]) request(sessions, "POST", "old", status);
  expect(sessions.count()).toBe(0);
  request(sessions, "POST", "old", 202);
  expect([sessions.count(), sessions.opened]).toEqual([1, 0]);
});

test("a session id in a refusal does not count", () => {
  const { sessions } = start();
  sessions.use("POST", undefined).answered(400, "a");
  expect([sessions.count(), sessions.opened]).toEqual([0, 0]);
});

test("an MCP session unused for half an hour is forgotten, unless it is in use", () => {
  const { clock, sessions, open } = start();
  for (const id of ["unused", "used", "listening"]) open(id);
  const stream = sessions.use("GET", "listening");
  stream.answered(200, undefined);
  clock.advance(20 * MINUTE);
  request(sessions, "POST", "used", 200);
  clock.advance(11 * MINUTE);
  expect(sessions.count()).toBe(2);
  clock.advance(20 * MINUTE);
  expect(sessions.count()).toBe(1);
  clock.advance(600 * MINUTE);
  expect(sessions.count()).toBe(1);
  stream.ended();
  clock.advance(31 * MINUTE);
  expect(sessions.count()).toBe(0);
});

test("a request that outlives its MCP session leaves nothing behind", () => {
  const { sessions, open } = start();
  open("a");
  const stream = sessions.use("GET", "a");
  stream.answered(200, undefined);
  request(sessions, "DELETE", "a", 204);
  stream.ended();
  expect(sessions.count()).toBe(0);
});

test("ten thousand MCP sessions are kept, and the least recently used one makes room", () => {
  const { sessions, open } = start();
  for (let id = 0; id < 10_000; id += 1) open(`s${id}`);
  request(sessions, "POST", "s0", 200);
  open("one more");
  expect(sessions.count()).toBe(10_000);
  // Known still: its 404 takes one away. The one that made room is not, and its 404 takes none.
  request(sessions, "POST", "s0", 404);
  expect(sessions.count()).toBe(9999);
  request(sessions, "POST", "s1", 404);
  expect(sessions.count()).toBe(9999);
});
