import { expect, test } from "bun:test";
import { createCaller } from "../../../../src/auth/caller.ts";
import type { Want } from "../../../../src/cluster/offers/messages.ts";
import { Wanting } from "../../../../src/cluster/offers/wanting.ts";
import { NONE_EXCLUDED } from "../../../../src/pool/excluded.ts";
import type { Ticket } from "../../../../src/pool/ticket.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

/** The most characters of a message that a link takes. */
const LINK_CHARS = 256 * 1024;

function createRig() {
  const clock = new FakeClock();
  const sent: string[] = [];
  const wanting = new Wanting({
    name: "llm",
    clock,
    send: (_peer, message) => {
      const text = JSON.stringify(message);
      if (text.length > LINK_CHARS) return false;
      sent.push(text);
      return true;
    },
    ownersOf: () => [{ peer: "b", slots: 1, free: 0, isNear: true }],
    serve: () => false,
    hold: () => {
      throw new Error("nothing is offered");
    },
    random: () => 0.5,
  });
  let number = 0;
  const ticket = (model: string, endUser: string, caller = "k"): Ticket => {
    number += 1;
    return {
      number,
      arrivedAt: clock.elapsed(),
      caller: createCaller(caller),
      class: "normal",
      endUser,
      demand: { model, exact: true, workerId: undefined, exchangeKind: undefined, excluded: NONE_EXCLUDED },
    } as Ticket; // the rest is of no importance to other servers
  };
  const last = (): Want => JSON.parse(sent.at(-1) ?? "{}") as Want; // what was written above
  return { clock, wanting, ticket, sent, last };
}

test("jobs that do not fit into one message are told in the order of their arrival, once those before them have left", () => {
  const { clock, wanting, ticket, sent, last } = createRig();
  const tickets = Array.from({ length: 20 * 256 }, (_, at) => ticket(`m${Math.floor(at / 256)}`, `person-${at}`));
  for (const each of tickets) wanting.want(each);
  clock.advance(600);
  expect(sent.length).toBeGreaterThan(0);
  const models = (): readonly string[] => last().lines.map(({ demand }) => demand.model);
  expect(models().slice(0, 3)).toEqual(["m0", "m1", "m2"]);
  expect(models()).not.toContain("m19");
  for (const each of tickets.slice(0, 15 * 256)) wanting.unwant(each);
  clock.advance(600);
  expect(models()[0]).toBe("m15");
  for (const each of tickets.slice(15 * 256, 18 * 256)) wanting.unwant(each);
  clock.advance(600);
  expect(models()).toContain("m19");
  wanting.close();
});

test("a message with the longest possible names fits into one message of a link", () => {
  const { clock, wanting, ticket, last } = createRig();
  const name = "n".repeat(512);
  for (let at = 0; at < 1000; at += 1) wanting.want(ticket(`${at}${"m".repeat(500)}`, `${at}${name.slice(4)}`, name));
  clock.advance(600);
  expect(last().lines.length).toBeGreaterThan(50);
  wanting.close();
});
