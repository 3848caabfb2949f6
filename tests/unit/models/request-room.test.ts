import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Occupant, RequestRoom } from "../../../src/models/request-room.ts";

class Request implements Occupant {
  calls = 0;
  onRoom(): void {
    this.calls += 1;
  }
}

test("requests may grow while there is room, and only the oldest when it is used up", () => {
  const room = new RequestRoom(100);
  const [old, young, late] = [new Request(), new Request(), new Request()];
  room.occupy(old, 0);
  room.occupy(young, 60);
  expect([old, young, late].map((each) => room.hasRoomFor(each))).toEqual([true, true, true]);
  room.occupy(old, 50);
  expect(room.used).toBe(110);
  expect([old, young, late].map((each) => room.hasRoomFor(each))).toEqual([true, false, false]);
});

test("the others are told when there is room again, or when one of them is the oldest", () => {
  const room = new RequestRoom(100);
  const [first, second, third] = [new Request(), new Request(), new Request()];
  room.occupy(first, 50);
  room.occupy(second, 120);
  room.occupy(third, 1);
  room.leave(first);
  expect([second.calls, third.calls]).toEqual([1, 0]);
  room.leave(second);
  expect([second.calls, third.calls]).toEqual([1, 1]);
  room.leave(second);
  room.leave(third);
  expect(room.used).toBe(0);
  expect(third.calls).toBe(1);
});

test("nobody is told while the room was never used up", () => {
  const room = new RequestRoom(100);
  const [first, second] = [new Request(), new Request()];
  room.occupy(first, 50);
  room.occupy(second, 10);
  room.leave(first);
  expect(second.calls).toBe(0);
});

test("in any order the room is never exceeded by more than one step of the oldest and of each that had room", () => {
  const step = fc.record({ who: fc.nat(4), bytes: fc.nat(40), leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const room = new RequestRoom(100);
      const requests = Array.from({ length: 5 }, () => new Request());
      const sizes = new Map<Request, number>();
      for (const { who, bytes, leaves } of steps) {
        const request = requests[who] ?? new Request();
        if (leaves) {
          room.leave(request);
          sizes.delete(request);
        } else if (room.hasRoomFor(request)) {
          sizes.set(request, (sizes.get(request) ?? 0) + bytes);
          room.occupy(request, sizes.get(request) ?? 0);
        }
        expect(room.used).toBe([...sizes.values()].reduce((sum, size) => sum + size, 0));
        const [oldest, ...younger] = sizes.values();
        expect(younger.reduce((sum, size) => sum + size, 0)).toBeLessThan(100 + 40);
        if (sizes.size > 0) expect(oldest).toBeDefined();
        // One can always go on.
        expect(requests.some((each) => room.hasRoomFor(each))).toBe(true);
      }
    }),
  );
});
